"""A front office's way to the public API: JSON over HTTP, keys that make retries safe, patience where it is asked for.

Standard library only, so that it can be copied into any program."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

TRIES = 8
TRANSIENT = (429, 503)


class Refused(Exception):
    """The API said no; `problem` is its RFC 9457 body, with every fault."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status, self.problem = status, problem

    @property
    def code(self) -> str:
        return str(self.problem.get("code"))


@dataclass(frozen=True)
class Answer:
    """A good answer. `body` is what its JSON holds, or the bytes of a file."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def etag(self) -> str:
        return self.headers["etag"]


class BackOffice:
    """One key of one person at the API at `url`. Of one thread."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url, self._key = url, key
        self._connection = kind(parts.hostname, parts.port, timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a read."""
        return self._ask("GET", path, query=query).body

    def read(self, path: str) -> Answer:
        """A read with its headers: the ETag for what is to be changed, or a file's bytes."""
        return self._ask("GET", path)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, limit=100, **({} if cursor is None else {"cursor": cursor}))
            yield from page["data"]
            cursor = page.get("next_cursor")
            if not page["has_more"]:
                return

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        if_match: str | None = None,
        dry_run: bool = False,
        file: bytes | None = None,
    ) -> Answer:
        """A change. It carries a new Idempotency-Key, the same in every retry, so that it happens once."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if if_match is not None:
            headers["If-Match"] = if_match
        content = file if file is not None else None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json" if file is None else "text/csv"
        return self._ask("POST", path, headers, content, {"dry_run": "true"} if dry_run else {})

    def fetch(self, link: str) -> bytes:
        """The content behind a download link, which opens once and needs no key."""
        parts = urlsplit(link)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=30)
        try:
            connection.request("GET", parts.path)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, json.loads(content))
        return content

    def ended(self, path: str, *, watch: Callable[[dict[str, Any]], None], seconds: float = 120) -> dict[str, Any]:
        """A job once it has ended, told to `watch` whenever it was looked at."""
        until = time.monotonic() + seconds
        while True:
            job: dict[str, Any] = self.get(path)
            watch(job)
            if job["status"] not in ("created", "queued", "running"):
                return job
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is still {job['status']} after {seconds:.0f} s")
            time.sleep(0.1)

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        query: dict[str, Any] | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        target = quote(path, safe="/:?=&%[]") + (f"?{urlencode(query)}" if query else "")
        for attempt in range(1, TRIES + 1):
            try:
                self._connection.request(method, target, body=content, headers=sent)
                response = self._connection.getresponse()
                raw = response.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if attempt == TRIES:
                    raise
                time.sleep(0.2 * attempt)
                continue
            told = {name.lower(): value for name, value in response.getheaders()}
            body = json.loads(raw) if "json" in told.get("content-type", "") else raw
            if response.status < 400:
                return Answer(response.status, told, body)
            problem = body if isinstance(body, dict) else {"code": "not_a_problem", "detail": str(response.status)}
            again = response.status in TRANSIENT or problem.get("code") == "idempotency_in_progress"
            if not again or attempt == TRIES:
                raise Refused(response.status, problem)
            time.sleep(min(float(told.get("retry-after", 1)), 30.0))
        raise AssertionError("unreachable")
