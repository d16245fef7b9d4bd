"""Processes in milliseconds: a mother imports everything once and forks a real process for each that a test asks for.

Spoken to over its standard input and output, a JSON object a line. It has no thread when it forks; when its input ends
it ends its children and itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Child:
    """A process of the mother's, as `subprocess.Popen` shows one."""

    def __init__(self, mother: Mother, pid: int) -> None:
        self._mother = mother
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it lives."""
        if self.returncode is None:
            self.returncode = self._mother.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            assert time.monotonic() < until, f"process {self.pid} does not end"
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(10)


class Mother:
    """The one process that imports. `close` ends all."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.platform.jobs.mother"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, argv: list[str], env: dict[str, str], log: Path) -> Child:
        """`job_process.main(argv)` in a process of its own."""
        return Child(self, int(self.ask(start=argv, env=env, log=str(log))))

    def ask(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate("", timeout=20)


def main() -> None:
    from tests.platform.jobs import job_process

    children: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "poll" in asked:
            pid, status = os.waitpid(asked["poll"], os.WNOHANG)
            children.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                become(asked)
                become_and_end(job_process.main, asked["start"])
            children.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def become_and_end(main: Callable[[list[str]], None], argv: list[str]) -> None:
    """Run it, and end as a process of its own would: never back into the mother's loop."""
    code = 1
    try:
        main(argv)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def become(asked: dict[str, Any]) -> None:
    """The new process writes to its log and hears nothing."""
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(asked["env"])


if __name__ == "__main__":
    main()
