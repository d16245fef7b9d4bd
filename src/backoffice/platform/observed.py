"""What can be seen of the processes that answer no API requests: `/metrics` and `/healthz` on a port of their own.

BACKOFFICE_METRICS_PORT is the dispatcher's; the courier has the next one, and the workers those after it, by their
number. The api shows its own beside its requests. A thread serves them, so that a loop that stands still is seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from backoffice.platform import metrics, pulse
from backoffice.platform.settings import Settings, SettingsRefused

PLACES = {"dispatcher": 0, "courier": 1, "worker": 2}


@contextmanager
def observed(settings: Settings, process: str, number: int = 0) -> Iterator[None]:
    """Show this process's metrics for the life of the block, where a port is set. SettingsRefused when it is taken."""
    if not settings.metrics_port or process not in PLACES:
        yield
        return
    port = settings.metrics_port + PLACES[process] + number
    try:
        server = ThreadingHTTPServer((settings.host, port), _Looking)
    except (OSError, OverflowError) as error:
        raise SettingsRefused(
            f"port {port} of {settings.host} cannot be listened on ({error}): set BACKOFFICE_METRICS_PORT to another"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Looking(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        status, body = 404, b""
        if self.path == "/metrics":
            status, body = 200, metrics.text()
        elif self.path == "/healthz":
            now, beats = time.monotonic(), pulse.beats()
            status, body = 200 if beats and not pulse.late(beats, now) else 503, pulse.sentence(beats, now).encode()
        self.send_response(status)
        self.send_header("content-type", metrics.CONTENT_TYPE if self.path == "/metrics" else "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """A look is no event."""
