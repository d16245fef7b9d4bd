"""The fault: one worker process is killed, as no process can defend itself against, while it calculates the payroll."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from uuid import UUID

from backoffice.demo.facts import Kill
from backoffice.kernel import ids
from backoffice.platform.api_client import ApiClient
from backoffice.platform.jobs.holders import Holders, Holding

KIND = "payroll.calculate"
LOOK_SECONDS = 0.003
ENDED_SECONDS = 30.0


class Killer(threading.Thread):
    """Waits for the calculation, kills who holds it as soon as a part is done, and sees how it ended."""

    def __init__(self, dsn: str, url: str, key: str, say: Callable[[str], None], pids: Callable[[], list[int]]) -> None:
        super().__init__(name="killer", daemon=True)
        self._dsn, self._url, self._key = dsn, url, key
        self._say, self._pids = say, pids
        self._enough = threading.Event()
        self.kill: Kill | None = None

    def end(self) -> Kill | None:
        """Stop waiting; what was done."""
        self._enough.set()
        self.join(ENDED_SECONDS)
        return self.kill

    def run(self) -> None:
        with Holders(self._dsn) as holders, ApiClient(self._url, self._key) as api:
            while not self._enough.wait(LOOK_SECONDS):
                for holding in holders.running(KIND):
                    if self._strike(holding, api):
                        self._see_the_end(holders, holding.job_id)
                        return

    def _strike(self, holding: Holding, api: ApiClient) -> bool:
        answer = api.request("GET", f"/v1/jobs/{ids.encode('job', holding.job_id)}")
        progress = answer.json()["progress"] if answer.ok else {"done": 0, "total": 0}
        if holding.worker is None or not 0 < progress["done"] < progress["total"]:
            return False
        pid = int(holding.worker.rpartition(":")[2])
        if pid not in self._pids():
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kill = Kill(pid=pid, worker=holding.worker, done=progress["done"], total=progress["total"])
        self._say(f"⚡ worker process {pid} killed (SIGKILL) with {progress['done']} of {progress['total']} calculated")
        return True

    def _see_the_end(self, holders: Holders, job_id: UUID) -> None:
        assert self.kill is not None
        until = time.monotonic() + ENDED_SECONDS
        started = time.monotonic()
        while time.monotonic() < until:
            job = holders.job(job_id)
            assert job is not None
            self.kill.state, self.kill.finished_by = job.state, job.worker
            self.kill.crashes = max(self.kill.crashes, job.crashes)  # a finished step counts from nought again
            if job.state in ("succeeded", "canceled", "dead"):
                self._say(
                    f"⚡ process {(job.worker or '').rpartition(':')[2]} went on from the finished parts; the job "
                    f"{job.state} {time.monotonic() - started:.1f} s after the kill"
                )
                return
            time.sleep(LOOK_SECONDS)
