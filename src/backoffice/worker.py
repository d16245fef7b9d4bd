"""The worker process: all domains' job handlers behind the queue."""

from __future__ import annotations

import os
import sys

from backoffice.platform import logs, traces
from backoffice.platform.jobs import registry
from backoffice.platform.jobs.process import serve
from backoffice.platform.settings import SettingsRefused, from_environment


def main() -> None:
    """Entry point: 0 after draining, 2 when a setting is wrong."""
    try:
        settings = from_environment()
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(2)
    logs.configure("worker", settings.log_level)
    traces.configure("worker", settings.trace_share)
    registry.load()
    code = serve(settings)
    traces.flush()
    sys.stderr.flush()
    os._exit(code)  # a calculation that was given back may still have a thread


if __name__ == "__main__":
    main()
