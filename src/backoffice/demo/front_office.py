"""The front office as a process of its own, and what it tells while it plays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from backoffice.demo.refusal import DemoRefused

PROGRAM = Path("examples") / "front_office" / "payday.py"


class Audience(Protocol):
    """Whoever hears the story."""

    def step(self, number: int, title: str) -> None: ...

    def say(self, text: str) -> None: ...

    def bar(self, name: str, done: int, total: int) -> None: ...


def project_folder() -> Path:
    """The folder with `tenants/` and `examples/`: the current one, or the source tree that this package lies in."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (folder / PROGRAM).is_file() and (folder / "tenants").is_dir():
            return folder
    raise DemoRefused(f"The demo needs the project's folder, with {PROGRAM} and tenants/: start it there.")


def play(
    folder: Path, *, url: str, keys: Mapping[str, Any], firm: Path, out: Path, hears: Audience, facts: dict[str, Any]
) -> int:
    """Run the front office to its end; its exit status. Its facts go into `facts`, its story to `hears`. It gets the
    API's address, keys and the firm's files, and no other setting of ours."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("BACKOFFICE_")}
    env |= {"FRONT_OFFICE_KEYS": json.dumps(keys), "PYTHONUNBUFFERED": "1"}
    argv = [sys.executable, str(folder / PROGRAM), "--json", "--api", url, "--firm", str(firm), "--out", str(out)]
    process = subprocess.Popen(  # noqa: S603 - our own program, no shell
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        process_group=0,  # Ctrl-C reaches the demo alone, which then ends it
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            _hear(json.loads(line), hears, facts)
        return process.wait(timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _hear(told: dict[str, Any], hears: Audience, facts: dict[str, Any]) -> None:
    if "fact" in told:
        facts[told["fact"]] = told["value"]
    elif "step" in told:
        hears.step(told["step"], told["title"])
    elif "bar" in told:
        hears.bar(told["bar"], told["done"], told["total"])
    else:
        hears.say(told["say"])
