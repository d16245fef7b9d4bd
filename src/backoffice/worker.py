"""The worker process: all domains' job handlers behind the queue."""

from __future__ import annotations

import sys

from backoffice.platform import logs, metrics, traces
from backoffice.platform.jobs import registry
from backoffice.platform.jobs.leaving import leave
from backoffice.platform.jobs.process import serve
from backoffice.platform.settings import SettingsRefused, from_environment


def main() -> int:
    """Entry point: 0 after draining, 2 when a setting is wrong."""
    try:
        settings = from_environment()
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    logs.configure("worker", settings.log_level)
    traces.configure("worker", settings.trace_share)
    for kind in registry.load():
        metrics.JOBS.labels(kind, "failed")  # from the start: of what begins with its first failure nothing rises
    code = serve(settings)
    traces.flush()
    return leave(code)


if __name__ == "__main__":
    sys.exit(main())
