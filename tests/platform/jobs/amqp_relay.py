"""A relay between a client of RabbitMQ and its node, at which the line between them can go wrong."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pika.frame
from pika.spec import Basic


class Relay:
    """Counts what is published through it. `held_until`: so many are published before a word of the broker comes
    through; `cut_at`: the connection is lost once so many are; `refusing`: what the broker confirms is heard as
    refused. `calm` for none of this."""

    def __init__(self, port: int) -> None:
        self._node = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = threading.Condition()
        self._open: list[socket.socket] = []
        self.calm()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._listener.getsockname()[1]}"

    def calm(self) -> None:
        """Count from nought, and let everything through."""
        with self._changed:
            self.published, self.held_until, self.cut_at, self.refusing = 0, 0, 0, False
            self._changed.notify_all()

    def close(self) -> None:
        self.calm()
        self._listener.close()
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                node = socket.create_connection(self._node)
                self._open += [client, node]
                for pump in (self._to_node, self._to_client):
                    threading.Thread(target=self._until_lost, args=(pump, client, node), daemon=True).start()

    @staticmethod
    def _until_lost(pump: object, client: socket.socket, node: socket.socket) -> None:
        with suppress(OSError):
            pump(client, node)  # type: ignore[operator]
        for end in (client, node):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _to_node(self, client: socket.socket, node: socket.socket) -> None:
        unread = b""
        while data := client.recv(65536):
            unread += data
            while (found := pika.frame.decode_frame(unread))[0]:
                size, frame = found
                node.sendall(unread[:size])
                unread = unread[size:]
                if isinstance(getattr(frame, "method", None), Basic.Publish) and self._counted():
                    return

    def _counted(self) -> bool:
        """One more; whether the connection is lost now."""
        with self._changed:
            self.published += 1
            self._changed.notify_all()
            return self.published == self.cut_at

    def _to_client(self, client: socket.socket, node: socket.socket) -> None:
        unread = b""
        while data := node.recv(65536):
            unread += data
            with self._changed:
                self._changed.wait_for(lambda: self.published >= self.held_until)
            while (found := pika.frame.decode_frame(unread))[0]:
                size, frame = found
                said, unread = unread[:size], unread[size:]
                answer = getattr(frame, "method", None)
                if self.refusing and isinstance(answer, Basic.Ack):
                    refusal = Basic.Nack(answer.delivery_tag, answer.multiple)
                    said = pika.frame.Method(frame.channel_number, refusal).marshal()
                client.sendall(said)
