"""HTTP to a backoffice API, for the command line and the demo: one connection, kept, and nothing followed by itself."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec

Parameters = Sequence[tuple[str, str]]


class Unreachable(Exception):
    """No answer came; `str()` of it is a sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON values. ValueError when it is none."""
        return msgspec.json.decode(self.body)

    @property
    def ok(self) -> bool:
        return self.status < 400


class ApiClient:
    """Sends requests with one key. Of one thread."""

    def __init__(self, url: str, key: str | None, *, timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"{url!r} is no address of an API: write it as https://api.example.com.")
        self.url = url.rstrip("/")
        self._key = key
        self._base = parts.path.rstrip("/")
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Parameters = (),
        body: bytes | None = None,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send and read the whole answer, whatever its status. Unreachable when there is none.

        `path` is percent-encoded here where it has to be. A kept connection that the server has closed meanwhile is
        opened again for a request that may be repeated: a read, or one with an Idempotency-Key."""
        sent = {"Accept": "application/json, */*;q=0.5", **(headers or {})}
        if self._key is not None:
            sent["Authorization"] = f"Bearer {self._key}"
        if body is not None:
            sent["Content-Type"] = media
        target = self._base + quote(path, safe="/:~@!$&'()*+,;=-._%")
        if query:
            target += "?" + urlencode(list(query))
        repeatable = method == "GET" or any(name.lower() == "idempotency-key" for name in sent)
        try:
            return self._send(method, target, body, sent)
        except (ConnectionError, http.client.HTTPException, OSError) as error:
            self._connection.close()
            stale = isinstance(error, ConnectionError | http.client.RemoteDisconnected)
            if not (stale and repeatable):
                raise self._unreachable(error) from None
        try:
            return self._send(method, target, body, sent)
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise self._unreachable(error) from None

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        self._connection.request(method, target, body=body, headers=dict(headers))
        response = self._connection.getresponse()
        content = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return Unreachable(f"{self.url} does not answer ({reason}): is it serving there, and is the address right?")
