"""The end of a process whose threads may not end: a calculation that was given back, a broker that never answers."""

from __future__ import annotations

import os
import sys
import threading
import time

WAIT_SECONDS = 0.3
_POOLS = ("asyncio_", "broker")  # the names of threads that are joined at exit, however long that takes


def leave(code: int) -> int:
    """The exit status, for a process that can end in order; one that cannot ends here."""
    until = time.monotonic() + WAIT_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith(_POOLS):
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    return code
