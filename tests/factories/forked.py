"""The product's processes in milliseconds: one process imports everything and forks a real one for each that is asked
for, which then runs the composition root that `backoffice api|worker|dispatcher|courier` runs.

Spoken to over standard input and output, a JSON object a line. It has no thread when it forks; when its input ends it
ends its children and itself."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backoffice.platform.settings import Settings, to_environment

ROOT = Path(__file__).parents[2]
ROOTS = ("api", "worker", "dispatcher", "courier")


@dataclass
class Platform:
    """A running platform. `start` and `kill` processes by pid; `close` ends all of them. `beside` names modules that
    its processes import too: the tests' own kinds of jobs."""

    settings: Settings
    log: Path
    beside: tuple[str, ...] = ()
    pids: dict[int, str] = field(default_factory=dict)  # living ones, and what they are

    def __post_init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.factories.forked", str(self.log), *self.beside],
            cwd=ROOT,
            env={**os.environ, **to_environment(self.settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, what: str) -> int:
        pid = int(self._ask(start=what))
        self.pids[pid] = what
        return pid

    def kill(self, pid: int) -> bool:
        """SIGKILL, and wait until it is gone; False when it had ended by itself."""
        del self.pids[pid]
        return bool(self._ask(kill=pid) == -signal.SIGKILL)

    def ended(self) -> dict[int, str]:
        """Those that have ended by themselves, and what they were."""
        return {pid: self.pids.pop(pid) for pid in self._ask(ended=True)}

    def said(self, event: str) -> int:
        """How often an event stands in the logs."""
        return self.told().count(f'"event":"{event}"') + self.told().count(f'"event": "{event}"')

    def told(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self) -> None:
        self._mother.communicate("", timeout=30)

    def _ask(self, **what: Any) -> Any:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write(json.dumps(what) + "\n")
        self._mother.stdin.flush()
        return json.loads(self._mother.stdout.readline())


def main(log: str, *beside: str) -> None:
    """Fork on demand until the input ends."""
    from backoffice.platform.jobs import registry

    roots = {name: importlib.import_module(f"backoffice.{name}") for name in ROOTS}
    registry.load()
    for module in beside:
        importlib.import_module(module)
    children: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "kill" in asked:
            os.kill(asked["kill"], signal.SIGKILL)
            _, status = os.waitpid(asked["kill"], 0)
            children.discard(asked["kill"])
            answer = os.waitstatus_to_exitcode(status)
        elif "ended" in asked:
            answer = [pid for pid in children if os.waitpid(pid, os.WNOHANG) != (0, 0)]
            children.difference_update(answer)
        else:
            answer = os.fork()
            if answer == 0:
                _hear_nothing_and_write_to(log)
                os._exit(roots[asked["start"]].main() or 0)
            children.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _hear_nothing_and_write_to(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
