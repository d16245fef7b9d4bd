"""The command line's HTTP client against a server that hangs up when it likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backoffice.platform.api_client import ApiClient, Unreachable

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nETag: v1\r\ncontent-length: 7\r\n\r\n" + b'{"a":1}'


class Server:
    """Answers `answers` requests on each connection, then closes it without a word."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                for _ in range(self.answers):
                    told = b""
                    while b"\r\n\r\n" not in told:
                        if not (part := connection.recv(4096)):
                            break
                        told += part
                    self.requests.append(told)
                    connection.sendall(ANSWER)


@contextmanager
def serving(answers: int) -> Iterator[tuple[Server, ApiClient]]:
    server = Server(answers)
    with ApiClient(f"http://127.0.0.1:{server.port}/base", "bo_key", timeout=5) as client:
        yield server, client
    server.close()


def test_what_is_sent_and_read() -> None:
    with serving(2) as (server, client):
        answer = client.request("GET", "/v1/workers/ext:Łódź 1", query=[("created_at[gte]", "2026-01-01")])
        assert (answer.status, answer.ok, answer.headers["etag"], answer.json()) == (200, True, "v1", {"a": 1})
        head = server.requests[0].decode()
        assert head.startswith("GET /base/v1/workers/ext:%C5%81%C3%B3d%C5%BA%201?created_at%5Bgte%5D=2026-01-01 HTTP")
        assert "Authorization: Bearer bo_key" in head


def test_a_closed_connection_is_opened_again_for_what_may_be_repeated() -> None:
    with serving(1) as (server, client):
        assert client.request("GET", "/").ok
        assert client.request("GET", "/").ok
        assert client.request("POST", "/", headers={"Idempotency-Key": "k"}).ok
        assert len(server.requests) == 3
        with pytest.raises(Unreachable, match="does not answer"):
            client.request("POST", "/")
        assert len(server.requests) == 3


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port} does not answer"):
        ApiClient(f"http://127.0.0.1:{port}", None).request("GET", "/")
    with pytest.raises(Unreachable, match="no address"):
        ApiClient("localhost:8000", None)
