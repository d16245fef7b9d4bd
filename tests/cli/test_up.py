"""`backoffice up` started for real: what an operator does with it, from the first start to Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.world import ROOT

from backoffice.cli import main
from backoffice.local.processes import free_port
from backoffice.platform.api_client import ApiClient, Unreachable
from backoffice.platform.postgres import throwaway_state

pytestmark = pytest.mark.kills
COMMAND = [sys.executable, "-m", "backoffice.cli"]
READY_SECONDS = 90


@dataclass
class Serving:
    """A running `up` in a folder of its own."""

    folder: Path
    env: dict[str, str]
    url: str
    key: str = ""

    def start(self) -> None:
        with (self.folder / "up.out").open("w") as out, (self.folder / "up.log").open("w") as log:
            command = [*COMMAND, "up", "--workers", "1"]
            self.process = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=out, stderr=log)
        _wait_until_ready(self)

    def new_key(self, tenant: str) -> str:
        keyed = self.run("keys", "create", "--tenant", tenant, "--person", "dana-whitfield")
        assert keyed.returncode == 0, keyed.stderr
        return keyed.stdout.strip()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            cwd=self.folder,
            env={**self.env, "BACKOFFICE_API_KEY": self.key, "BACKOFFICE_PUBLIC_URL": self.url, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def door(self, *arguments: str, **env: str) -> Result:
        """A command that only asks the API, in this process: sooner than one of its own."""
        given = {"BACKOFFICE_API_KEY": self.key, "BACKOFFICE_PUBLIC_URL": self.url}
        state = {"BACKOFFICE_STATE": str(self.folder / ".backoffice")}
        return CliRunner().invoke(main, list(arguments), env={**self.env, **state, **given, **env})

    def json(self, *arguments: str) -> Any:
        done = self.door(*arguments)
        assert done.exit_code == 0, (arguments, done.output)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with throwaway_state() as folder:
        port = free_port()
        env = {name: value for name, value in os.environ.items() if not name.startswith("BACKOFFICE_")}
        env |= {"BACKOFFICE_PORT": str(port), "BACKOFFICE_POSTGRES_PORT": str(free_port())}
        made = Serving(folder, env, f"http://127.0.0.1:{port}")
        try:
            made.start()
            made.run("tenants", "apply", "northwind-staffing", "--folder", str(ROOT / "tenants"))
            made.key = made.new_key("northwind-staffing/test")
            yield made
        finally:
            made.end()


def _wait_until_ready(serving: Serving) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        assert serving.process.poll() is None, (serving.folder / "up.log").read_text()
        try:
            if ApiClient(serving.url, None, timeout=5).request("GET", "/readyz").ok:
                return
        except Unreachable:
            assert time.monotonic() < until, (serving.folder / "up.log").read_text()[-3000:]
        time.sleep(0.1)


def test_a_second_up_in_the_same_folder_is_told_in_a_sentence(serving: Serving) -> None:
    second = serving.run("up")
    assert second.returncode == 2
    assert second.stdout == ""
    assert "another backoffice running here" in second.stderr
    assert second.stderr.count("\n") == 1


def test_health_of_every_process(serving: Serving) -> None:
    for process in ("api", "worker", "dispatcher", "courier"):
        told = serving.door("health", process)
        assert told.exit_code == 0, (process, told.output)


def test_what_it_links_to_is_there(serving: Serving) -> None:
    """On whatever port it serves: the page of a problem, packed for whoever takes it so."""
    with ApiClient(serving.url, None, timeout=5) as client:
        refused = client.request("GET", "/v1/tenant").json()
        assert refused["type"] == f"{serving.url}/problems/unauthorized"
        page = client.request("GET", refused["type"].removeprefix(serving.url))
        assert page.ok
        assert refused["title"].encode() in page.body


def test_tenants_are_planned_and_applied_once(serving: Serving) -> None:
    planned = serving.run("tenants", "plan", "--folder", str(ROOT / "tenants"))
    assert planned.returncode == 1, planned.stderr
    assert "northwind-staffing:\n  nothing to change\n" in planned.stdout
    assert "harbor-talent:\n  + firm harbor-talent\n" in planned.stdout


def test_keys_are_shown_once_listed_and_ended(serving: Serving) -> None:
    tenant = ["--tenant", "northwind-staffing/test"]
    made = serving.run("keys", "create", *tenant, "--person", "ines-conceicao", "--scopes", "workers:read,jobs:read")
    assert re.fullmatch(r"bo_rk_test_[0-9A-Za-z]{36}\n", made.stdout)
    id_ = made.stderr.split()[0]
    listed = serving.run("keys", "list", *tenant)
    assert made.stdout.strip() not in listed.stdout
    found = next(key for key in json.loads(listed.stdout)["data"] if key["id"] == id_)
    assert found["scopes"] == ["jobs:read", "workers:read"]
    assert serving.door("workers", "list", BACKOFFICE_API_KEY=made.stdout.strip()).exit_code == 0
    missing = serving.door("people", "list", BACKOFFICE_API_KEY=made.stdout.strip())
    assert missing.exit_code == 1
    assert missing.stderr.startswith("403 scope_missing")
    assert serving.run("keys", "revoke", id_, *tenant).returncode == 0
    ended = serving.run("keys", "revoke", id_, *tenant)
    assert (ended.returncode, ended.stderr.startswith("backoffice: ")) == (1, True)
    assert serving.door("workers", "list", BACKOFFICE_API_KEY=made.stdout.strip()).exit_code == 1
    more = serving.run("keys", "create", *tenant, "--person", "theo-lindqvist", "--scopes", "api_keys:write,jobs:read")
    assert (more.returncode, more.stdout) == (2, "")
    assert more.stderr == "backoffice: theo-lindqvist may not api_keys:write: see the roles in its tenant.toml.\n"
    wrong = serving.run("keys", "create", "--tenant", "northwind-staffing/tset", "--person", "dana-whitfield")
    assert wrong.returncode == 2
    assert "northwind-staffing/live, northwind-staffing/test" in wrong.stderr


def test_the_door_to_the_api(serving: Serving) -> None:
    assert serving.json("tenant")["firm"] == "northwind-staffing"
    preview = serving.json("test", "clocks", "create", "--set", "frozen_time=2026-11-16T09:00:00-05:00", "--dry-run")
    assert preview["object"] == "dry_run"
    clock = serving.json("test", "clocks", "create", "--set", "frozen_time=2026-11-16T09:00:00-05:00")
    to = '{"to": "2026-11-17T09:00:00-05:00"}'
    moved = serving.json("test", "clocks", "advance", clock["id"], "--data", to, "--wait")
    assert (moved["status"], moved["frozen_time"]) == ("ready", "2026-11-17T14:00:00Z")
    back = serving.door("test", "clocks", "advance", clock["id"], "--set", "to=2026-11-01T09:00:00-05:00")
    assert (back.exit_code, back.stderr.split(":")[0]) == (1, "409 clock_goes_forward")


def test_all_faults_are_printed(serving: Serving) -> None:
    refused = serving.door("workers", "create", "--set", "first_name=A", "--set", "address.city=Albany", "--set", "x=1")
    assert refused.exit_code == 1
    for fault in ("#/last_name", "#/address/line1", "#/address/state", "#/x"):
        assert fault in refused.stderr
    assert "request req_" in refused.stderr


def test_lists_page_filter_and_count(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "key", serving.new_key("northwind-staffing/live"))  # which has nobody yet
    made = [
        serving.json(
            "workers", "create", "--data", json.dumps({"first_name": "A", "last_name": name, "address": ADDRESS})
        )
        for name in ("Alder", "Birch", "Cedar")
    ]
    page = serving.json("workers", "list", "--limit", "2", "--sort", "last_name", "--total")
    assert [row["last_name"] for row in page["data"]] == ["Alder", "Birch"]
    assert page["total_count"] == 3
    rest = serving.json("workers", "list", "--limit", "2", "--sort", "last_name", "--cursor", page["next_cursor"])
    assert [row["last_name"] for row in rest["data"]] == ["Cedar"]
    everybody = serving.json("workers", "list", "--limit", "1", "--all")
    assert {row["id"] for row in everybody["data"]} == {worker["id"] for worker in made}
    assert [row["last_name"] for row in serving.json("workers", "list", "--last-name", "Birch")["data"]] == ["Birch"]


def test_a_change_reads_the_version_first_or_takes_the_one_given(serving: Serving) -> None:
    worker = serving.json(
        "workers", "create", "--data", json.dumps({"first_name": "B", "last_name": "Dogwood", "address": ADDRESS})
    )
    changed = serving.json("workers", "update", worker["id"], "--set", "last_name=Elm")
    assert (changed["last_name"], changed["version"]) == ("Elm", 2)
    late = serving.door("workers", "update", worker["id"], "--set", "last_name=Fir", "--if-match", "1")
    assert (late.exit_code, late.stderr.split(":")[0]) == (1, "412 version_conflict")
    absent = serving.door("workers", "update", "wrk_none", "--set", "last_name=Fir")
    assert (absent.exit_code, absent.stderr.split(":")[0]) == (1, "404 not_found")


def test_a_retry_with_the_same_key_is_done_once(serving: Serving) -> None:
    body = json.dumps({"first_name": "C", "last_name": "Ginkgo", "address": ADDRESS})
    ids = {serving.json("workers", "create", "--data", body, "--idempotency-key", "one")["id"] for _ in range(2)}
    assert len(ids) == 1


def test_a_file_is_sent_and_its_job_waited_for(serving: Serving) -> None:
    made = serving.json("bulk-jobs", "create", "--set", "operation=workers.upsert")
    file = str(ROOT / "tenants" / "harbor-talent" / "workers.csv")
    ended = serving.json("bulk-jobs", "start", made["id"], "--file", file, "--wait")
    assert (ended["status"], ended["rows"]["created"]) == ("succeeded", 12)
    failed = serving.door("bulk-jobs", "errors-csv", made["id"])
    assert failed.exit_code == 0
    assert failed.stdout.startswith("external_id,")


def test_workers_are_drained_asked_after_and_started_again(serving: Serving) -> None:
    nightly = next(each for each in serving.json("schedules", "list")["data"] if each["name"] == "platform-tidy")
    drained = serving.door("jobs", "drain")
    assert (drained.exit_code, drained.stdout) == (0, "1 drained\n"), drained.output
    try:
        job = serving.json("schedules", "run-now", nightly["id"])
        assert serving.json("jobs", "list", "--status", "queued")["data"][0]["id"] == job["id"]
        until = time.monotonic() + 40  # what was released at the moment of the drain comes back with its lease
        while (code := serving.json("jobs", "why", job["id"])["code"]) != "no_worker":
            assert time.monotonic() < until, code
            time.sleep(0.2)
        assert serving.door("jobs", "drain").exit_code == 2  # there is none any more
    finally:
        resumed = serving.door("jobs", "drain", "--resume")
    assert resumed.exit_code == 0
    watched = serving.json("jobs", "watch", job["id"])
    assert watched["status"] == "succeeded"
    assert watched["result"]
    assert set(watched["result"].values()) == {0}
    [only] = serving.json("jobs", "logs", job["id"])["tries"]
    assert only["outcome"] == "succeeded"
    left = serving.json("jobs", "list", "--status-in", "queued,running")["data"]
    assert job["id"] not in [each["id"] for each in left]
    assert serving.door("jobs", "watch", "job_none").exit_code == 1


def test_a_database_that_dies_is_started_again(serving: Serving) -> None:
    pid_file = serving.folder / ".backoffice" / "postgres" / "data" / "postmaster.pid"
    killed = int(pid_file.read_text().split()[0])
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + 30
    while serving.door("tenant").exit_code != 0 or _postmaster(pid_file) == killed:
        assert time.monotonic() < until, (serving.folder / "up.log").read_text()[-3000:]
        time.sleep(0.1)
    body = json.dumps({"operation": "workers.upsert"})  # and the processes have come back to it
    made = serving.json("bulk-jobs", "create", "--data", body)
    file = str(ROOT / "tenants" / "northwind-staffing" / "workers.csv")
    assert serving.json("bulk-jobs", "start", made["id"], "--file", file, "--wait")["status"] == "succeeded"
    out = (serving.folder / "up.out").read_text()
    assert "PostgreSQL has ended by itself; starting it again\nPostgreSQL is back\n" in out


@pytest.mark.moment
def test_ctrl_c_stops_everything_within_ten_seconds(serving: Serving) -> None:
    """And the next start goes on where it stopped."""
    pids = _children_of(serving.process.pid)
    assert len(pids) >= 4
    began = time.monotonic()
    serving.process.send_signal(signal.SIGINT)
    serving.process.wait(20)
    assert time.monotonic() - began < 10
    out, log = ((serving.folder / name).read_text() for name in ("up.out", "up.log"))
    assert serving.process.returncode == 0, log[-3000:]
    assert f"API          {serving.url}" in out
    assert "keys create" in out
    assert f"{serving.folder}/.backoffice" in out
    assert out.endswith("stopped\n")
    assert not any(_alive(pid) for pid in pids)
    assert "Traceback" not in log
    serving.start()
    assert serving.json("tenant")["object"] == "tenant"


ADDRESS = {"line1": "1 Sample Street", "city": "Albany", "state": "NY", "postal_code": "12207"}


def _children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def _postmaster(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError):
        return 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
