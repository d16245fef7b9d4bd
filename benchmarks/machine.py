"""On what a figure was measured: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Processor and core count, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    name = models[0].split(":", 1)[1].strip() if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count() or '?'} cores, {platform.system()} {platform.release().split('-', maxsplit=1)[0]}"


def versions(*packages: str) -> str:
    """`Python 3.11.2, litestar 2.25.0, …`."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])


def stamp(*packages: str) -> str:
    """The line under a section's heading."""
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()} (load {load:.1f} before we began); {versions(*packages)}."
    )


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads, user and system, from /proc (Linux; to 1/100 s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
