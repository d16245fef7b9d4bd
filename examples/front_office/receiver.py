"""The reference receiver of webhooks: what a front office needs so that it misses nothing and does nothing twice.

1. Verify the signature over the raw bytes, with the public `standardwebhooks` library, before anything is parsed.
2. Write the event down, then answer 2xx. Whatever takes long comes later: after 15 s the sender gives up and repeats.
3. Drop repeats by `webhook-id`. A webhook may come twice, for example when our answer was lost.
4. Watch `sequence`, which rises by exactly 1 for an endpoint. Numbers may come out of order (only the events of one
   object are kept in order), so a hole counts as a gap when it is still there after a moment; then, and at every start,
   ask `GET /v1/webhook_endpoints/{id}/events?after_sequence=N` for what is missing.

    BACKOFFICE_API_KEY=bo_sk_test_… python receiver.py http://127.0.0.1:8000 events.jsonl

registers an endpoint for itself (BACKOFFICE_WEBHOOK=we_…,whsec_… names one that is there) and appends each event once,
as one JSON line. That file is also its memory. Or use `Receiver` from a program of your own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST = 64 * 1024  # bytes; a webhook has at most 20 kB
PATIENCE = 2.0  # seconds between two looks for holes in the numbers


class Inbox:
    """Events, each accepted once and written down before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.ahead: set[int] = set()  # numbers beyond the first hole
        self.complete_to = 0  # every number up to this one is here
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            self._note(json.loads(line))

    def accept(self, event: dict[str, Any]) -> bool:
        """Whether the event is new."""
        with self._lock:
            if new := event["id"] not in self._seen:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(event) + "\n")
                self._note(event)
            return new

    def _note(self, event: dict[str, Any]) -> None:
        self._seen.add(event["id"])
        self.ahead.add(event["sequence"])
        while self.complete_to + 1 in self.ahead:
            self.complete_to += 1
            self.ahead.remove(self.complete_to)


class Receiver:
    """A server for one endpoint. `secrets` holds two while a rotation overlaps."""

    def __init__(self, events: Path, api: str, key: str, port: int = 0) -> None:
        self.inbox = Inbox(events)
        self.secrets: list[str] = []
        self.endpoint_id: str | None = None
        self._api, self._key, self._stopped = api, key, threading.Event()
        receive = self.receive

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length) if length <= LARGEST else b""
                status = receive(body, dict(self.headers))
                self.close_connection = status != 204
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing: what matters is in the inbox."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def register(self, event_types: list[str] | None = None) -> None:
        """Ask for webhooks to be sent here. The secret is shown this once: a real front office keeps it in a vault."""
        made = self.call("POST", "/v1/webhook_endpoints", {"url": self.url, "event_types": event_types})
        self.endpoint_id, self.secrets = made["id"], [made["secret"]]

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer with."""
        for secret in self.secrets:
            try:
                self.inbox.accept(Webhook(secret).verify(body, headers))
                return 204
            except (WebhookVerificationError, ValueError):
                continue
        return 401

    def backfill(self) -> None:
        """Fetch what did not come. After a long outage this is all there is to do."""
        after, more = -1, True
        while more and after < self.inbox.complete_to:
            after = self.inbox.complete_to
            page = self.call("GET", f"/v1/webhook_endpoints/{self.endpoint_id}/events?after_sequence={after}&limit=100")
            for event in page["data"]:
                self.inbox.accept(event)
            more = page["has_more"]

    def _watch(self) -> None:
        while not self._stopped.wait(PATIENCE):
            try:
                if self.inbox.ahead:
                    self.backfill()
            except OSError:
                continue  # the API cannot be reached; again in a moment

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._api + path, data, headers, method=method)  # noqa: S310 - our API
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))


if __name__ == "__main__":
    receiver = Receiver(Path(sys.argv[2]), sys.argv[1], os.environ["BACKOFFICE_API_KEY"])
    receiver.start()
    if known := os.environ.get("BACKOFFICE_WEBHOOK"):
        receiver.endpoint_id, *receiver.secrets = known.split(",")
    else:
        receiver.register()
    receiver.backfill()
    threading.Event().wait()
