"""The reference receiver of webhooks: what a front office needs so that it misses nothing and does nothing twice.

1. Verify the signature over the raw bytes, with the public `standardwebhooks` library, before anything is parsed.
2. Write the event down, then answer 2xx; what takes long comes later. After 15 s the sender gives up and repeats.
3. Drop repeats by `webhook-id`. A webhook may come twice: when our answer was lost, or when it is replayed.
4. Watch `sequence`, which rises by exactly 1. Only one object's events are in order, so a hole is a gap when it is
   there after a moment too; then, and at every start, ask `GET …/events?after_sequence=N` for the 90 days it has.
5. Prove it: hash what came, and compare with the daily digest. An event with `"test": true` is no fact, but counts.
6. `tenant.reset`: a test tenant was emptied. What has a smaller number is void and does not come; ids may come again.

`BACKOFFICE_API_KEY=bo_sk_test_… python receiver.py http://127.0.0.1:8000 events.jsonl` registers an endpoint for itself
(BACKOFFICE_WEBHOOK=we_…,whsec_… names one that is there). The file gets each event once, a line, and is its memory."""

import contextlib
import hashlib
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
NOTHING = "0" * 64  # the hash before the first event


class Inbox:
    """Events, each accepted once and written down before it counts."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self.ahead = dict[int, dict[str, Any]]()  # events beyond the first hole, by number
        self.complete_to, self._ids = 0, dict[int, str]()  # every number up to this one is here; ids by number
        self.proven_to, self._base = 0, (0, NOTHING)  # the last number a digest proved; last digest's number and hash
        self.disproved, self.lost = list[str](), list[str]()  # days whose digest differs; numbers that nobody has
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            self._note(json.loads(line))

    def accept(self, event: dict[str, Any], oldest: bool = False) -> bool:
        """Whether the event is new. `oldest`: those before it are kept nowhere."""
        with self._lock:
            if new := event["sequence"] > self.complete_to and self._ids.get(event["sequence"]) != event["id"]:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(event) + "\n")
                self._note(event)
            if oldest and event["sequence"] > self.complete_to + 1:
                self.lost.append(f"{self.complete_to + 1}-{min(self.ahead) - 1}")  # tell a person
                self._note(self.ahead[min(self.ahead)], begins=True)
            return new

    def _note(self, event: dict[str, Any], begins: bool = False) -> None:
        number = event["sequence"]
        self.ahead[number], self._ids[number] = event, event["id"]
        if begins or (event.get("type") == "tenant.reset" and not event.get("test")):
            self.ahead = {each: event for each, event in self.ahead.items() if each >= number}
            self.complete_to, self._base = number - 1, (number - 1, NOTHING)
        while following := self.ahead.pop(self.complete_to + 1, None):
            self.complete_to += 1
            if following.get("type") == "webhook_endpoint.digest" and not following.get("test"):
                digest, (before, hash_) = following["data"]["object"]["digest"], self._base
                self._base = digest["last_sequence"], digest["hash"]  # the next day is judged by itself
                for each in range(before + 1, digest["last_sequence"] + 1):
                    hash_ = hashlib.sha256(f"{hash_}:{each}:{self._ids.pop(each, None)}".encode()).hexdigest()
                if hash_ == digest["hash"]:
                    self.proven_to = digest["last_sequence"]
                else:
                    self.disproved.append(digest["day"])  # events were exchanged or left out: tell a person


class Receiver:
    """A server for one endpoint. `secrets` holds two in a rotation's overlap; `receive` gives the status to answer."""

    def __init__(self, events: Path, api: str, key: str, port: int = 0) -> None:
        self.inbox, self.secrets, self.endpoint_id = Inbox(events), list[str](), ""
        self._api, self._key, self._stopped, receive = api, key, threading.Event(), self.receive

        class Handler(BaseHTTPRequestHandler):
            protocol_version, timeout = "HTTP/1.1", 30

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                status = receive(self.rfile.read(length) if length <= LARGEST else b"", dict(self.headers))
                self.close_connection = status != 204  # its body may be unread
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

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
        for secret in self.secrets:
            with contextlib.suppress(WebhookVerificationError, ValueError):
                self.inbox.accept(Webhook(secret).verify(body, headers))
                return 204
        return 401

    def backfill(self) -> None:
        """Fetch what did not come. After a long outage this is all there is to do."""
        page: dict[str, Any] = {"has_more": True}
        while page["has_more"]:
            after = self.inbox.complete_to
            page = self.call("GET", f"/v1/webhook_endpoints/{self.endpoint_id}/events?after_sequence={after}&limit=100")
            for place, event in enumerate(page["data"]):
                self.inbox.accept(event, oldest=place == 0)

    def _watch(self) -> None:
        while not self._stopped.wait(PATIENCE):
            with contextlib.suppress(OSError):  # the API cannot be reached; again in a moment
                if self.inbox.ahead:
                    self.backfill()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self._api + path, data, headers, method=method)  # noqa: S310 - our API
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))


if __name__ == "__main__":
    receiver = Receiver(Path(sys.argv[2]), sys.argv[1], os.environ["BACKOFFICE_API_KEY"])
    receiver.start()
    receiver.endpoint_id, *receiver.secrets = os.environ.get("BACKOFFICE_WEBHOOK", "").split(",")
    if not receiver.endpoint_id:
        receiver.register()
    receiver.backfill()
    threading.Event().wait()
