"""What some tests need of the machine beyond Python."""

from __future__ import annotations

import shutil
from pathlib import Path

RECEIVER = Path(__file__).parents[1] / "examples" / "front_office_ts"
TYPESCRIPT = RECEIVER / "node_modules" / "typescript" / "bin" / "tsc"
NODE = shutil.which("node")


def lacks() -> dict[str, str]:
    """Marker → why its tests cannot run here."""
    found = {}
    if shutil.which("rabbitmq-server") is None:
        found["rabbitmq"] = "no rabbitmq-server on this machine"
    if NODE is None:
        found["node"] = "no node on this machine"
    elif not TYPESCRIPT.exists():
        found["node"] = "examples/front_office_ts has no node_modules: run npm ci there"
    return found
