"""What can be seen of the platform from outside: logs, metrics, traces, readiness. One payday is played on real
processes with a server of its own, personal values pushed through its doors; then its traces are read."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.factories.payday import payday
from tests.world import ROOT, World

from backoffice.kernel import ids
from backoffice.local.liveness import Told
from backoffice.local.place import Place, open_place
from backoffice.local.processes import PROCESSES, free_port, freeing, units
from backoffice.platform import logs, traces
from backoffice.platform.db import Database
from backoffice.platform.observed import observed
from backoffice.platform.postgres import THROWAWAY, throwaway_state
from backoffice.platform.pulse import Beat
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import Settings, SettingsRefused
from backoffice.platform.supervisor import Supervisor

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"  # the example of W3C Trace Context
KEPT, NOT_KEPT = f"00-{TRACE}-{SPAN}-01", f"00-{'a' * 32}-{'b' * 16}-00"
WORKERS = 6
DARK_SECONDS = 8.0
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Seen:
    """What the scenario left behind."""

    lines: dict[str, list[str]] = field(default_factory=dict)  # process → its log
    server_log: str = ""  # of PostgreSQL
    command_lines: str = ""  # of every process of the machine, while ours run
    secrets: list[str] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)  # process → its exposition text
    tenant: str = ""
    request: str = ""  # the id of the calculation's request
    job: str = ""
    paid: asyncio.Event = field(default_factory=asyncio.Event)  # the webhook of it has come
    webhooks: list[dict[str, str]] = field(default_factory=list)  # headers of what the firm was sent, and its `type`
    health: dict[str, tuple[int, str]] = field(default_factory=dict)  # process → its /healthz, all being well
    beats: dict[str, dict[str, Beat]] = field(default_factory=dict)  # process → its loops, the database being gone …
    beats_at: float = 0.0  # … for DARK_SECONDS at this moment
    without_database: dict[str, tuple[int, str]] = field(default_factory=dict)

    def said(self, process: str, event: str) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in self.lines[process]]
        return [line for line in told if line["event"] == event]


@pytest.fixture(scope="module")
def seen(loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    with throwaway_state() as state, open_place({}, state=state, server_settings=THROWAWAY) as place:
        return loop.run_until_complete(asyncio.wait_for(_scenario(place, tmp_path_factory.mktemp("logs")), 110))


async def _scenario(place: Place, folder: Path) -> Seen:
    seen = Seen()
    port, metrics_port, hooks_port = free_port(), free_port(), free_port()
    settings = replace(place.settings, port=port, metrics_port=metrics_port, trace_share=0.0)
    async with open_runtime(settings) as runtime:
        control = Database(settings.dsn("bo_migrate"), size=2)
        await control.open()
        day = await payday(World(runtime, control), workers=WORKERS)
        await control.close()
    seen.tenant = str(day.tenant.facts.id)
    with ExitStack() as stack:
        stack.enter_context(Supervisor(units(settings, workers=1, logs=folder), freeing(settings)))
        hooks = await asyncio.start_server(partial(_receive, seen), "127.0.0.1", hooks_port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            seen.secrets = [*settings.passwords.values(), settings.pepper, day.maker, day.checker]
            seen.secrets.append(await _register(http, day.tenant.keys["dana-whitfield"], hooks_port))
            seen.command_lines = _command_lines()
            await _play(http, day.maker, day.checker, day.tenant.keys["dana-whitfield"], seen)
            seen.metrics["api"] = (await http.get("/metrics")).text
            for process, offset in (("dispatcher", 0), ("courier", 1), ("worker", 2)):
                answer = await http.get(f"http://127.0.0.1:{metrics_port + offset}/metrics")
                seen.metrics[process] = answer.text
                answer = await http.get(f"http://127.0.0.1:{metrics_port + offset}/healthz")
                seen.health[process] = answer.status_code, answer.text
            assert place.embedded is not None
            place.embedded.stop(immediate=True)
            headers = {"authorization": f"Bearer {day.maker}"}
            for path in ("/healthz", "/readyz", "/v1/workers"):
                answer = await http.get(path, headers=headers)
                seen.without_database[path] = answer.status_code, answer.text
            await asyncio.sleep(DARK_SECONDS)
            seen.beats_at = time.monotonic()
            for process in PROCESSES:
                [file] = (place.state / "run").glob(f"{process}.*")
                seen.beats[process] = msgspec.json.decode(file.read_bytes(), type=Told).beats
        hooks.close()
        seen.server_log = (place.state / "postgres.log").read_text(encoding="utf-8")
    for process in PROCESSES:
        seen.lines[process] = (folder / f"{process}-0.log").read_text(encoding="utf-8").splitlines()
    return seen


async def _receive(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The firm's receiver: takes everything, one request a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
    body = await reader.readexactly(int(headers["content-length"]))
    seen.webhooks.append({**headers, "type": json.loads(body)["type"]})
    if seen.webhooks[-1]["type"] == "payroll_run.paid":
        seen.paid.set()
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def _register(http: httpx.AsyncClient, key: str, port: int) -> str:
    await _ready(http)
    endpoint = {"url": f"http://127.0.0.1:{port}/", "event_types": ["payroll_run.calculated", "payroll_run.paid"]}
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "endpoint"}
    made = await http.post("/v1/webhook_endpoints", json=endpoint, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


async def _ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def _play(http: httpx.AsyncClient, maker: str, checker: str, admin: str, seen: Seen) -> None:
    """A payday, and personal values at every door on the way."""

    async def call(method: str, path: str, key: str = maker, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", "idempotency-key": str(uuid.uuid4()), **more.pop("headers", {})}
        return await http.request(method, path, headers=headers, **more)

    async def ended(job: dict[str, Any]) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = (await call("GET", f"/v1/jobs/{job['id']}")).json()
            if told["status"] in ("succeeded", "failed", "canceled"):
                return told
            await asyncio.sleep(0.05)

    async with asyncio.timeout(60):
        run = (
            await call("POST", "/v1/payroll_runs", json={"pay_schedule": "weekly", "period_begin": "2026-11-09"})
        ).json()
        path = f"/v1/payroll_runs/{run['id']}"
        calculation = await call("POST", f"{path}/calculate", headers={"traceparent": KEPT})
        seen.request, seen.job = calculation.headers["request-id"], calculation.json()["id"]
        assert (await ended(calculation.json()))["status"] == "succeeded"
        unkept = await call("POST", f"{path}/calculate", headers={"traceparent": NOT_KEPT})
        assert (await ended(unkept.json()))["status"] == "succeeded"
        await call("GET", "/v1/tenant", headers={"traceparent": "00-nonsense-01"})

        version = (await call("GET", path)).json()["version"]
        approved = await call("POST", f"{path}/approve", checker, headers={"if-match": f'"v{version}"'})
        assert approved.status_code == 200, approved.text
        paid = await call("POST", f"{path}/pay", headers={"if-match": approved.headers["etag"]})
        assert (await ended(paid.json()))["status"] == "succeeded"
        [stubs] = (await call("GET", "/v1/jobs?kind=payroll.print_stubs")).json()["data"]
        assert (await ended(stubs))["result"] == {"stubs": WORKERS}

        await seen.paid.wait()
        person = _people()[0]
        worker = (await call("GET", f"/v1/workers?last_name={person['last_name']}")).json()["data"][0]
        await call("GET", f"/v1/workers?sort={person['last_name']}")
        await call("GET", f"/v1/{person['last_name']}/{person['ssn']}")
        await call("GET", f"/v1/workers/ext:{person['last_name']}")
        await call("POST", "/v1/workers", json={"first_name": person["first_name"], "ssn": person["ssn"]})
        account = {"routing_number": "1", "account_number": person["bank_account_number"], "kind": "checking"}
        await call("POST", f"/v1/workers/{worker['id']}/bank_accounts", json=account)
        shown = await call(
            "POST", f"/v1/workers/{worker['id']}/reveal", admin, json={"fields": ["ssn"], "purpose": "support_request"}
        )
        assert person["ssn"].replace("-", "") in shown.text.replace("-", ""), shown.text
        again = await call("POST", "/v1/workers", json=_as_new(person))  # a number that somebody has
        assert again.status_code in (409, 422), again.text


def _command_lines() -> str:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes().decode(errors="replace"))
    return "\n".join(found)


def _people() -> list[dict[str, str]]:
    with (ROOT / "tenants" / "northwind-staffing" / "workers.csv").open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


def _as_new(person: dict[str, str]) -> dict[str, Any]:
    address = {
        "line1": person["address_line1"],
        "city": person["city"],
        "state": person["state"],
        "postal_code": person["postal_code"],
    }
    return {**{name: person[name] for name in ("first_name", "last_name", "ssn", "email")}, "address": address}


def test_every_line_is_an_object_with_a_time_and_a_process(seen: Seen) -> None:
    for process, lines in seen.lines.items():
        for line in lines:
            told = json.loads(line)
            assert told["process"] == process, line
            assert told["timestamp"].endswith("Z"), line
            assert "dropped_fields" not in told, line
    assert all(seen.lines[process] for process in PROCESSES)


def test_requests_and_jobs_are_told_with_tenant_request_and_actor(seen: Seen) -> None:
    [request] = [line for line in seen.said("api", "request") if line["request_id"] == seen.request]
    assert (request["tenant"], request["method"], request["status"]) == (seen.tenant, "POST", 202)
    assert request["route"] == "/v1/payroll_runs/{run_id}/calculate"
    [job] = [line for line in seen.said("worker", "job") if line["job_id"] == seen.job]
    assert (job["tenant"], job["request_id"], job["kind"]) == (seen.tenant, seen.request, "payroll.calculate")
    assert job["actor"] == request["actor"]
    assert job["actor"].startswith("per_")


def test_no_line_holds_a_personal_value(seen: Seen) -> None:
    """Numbers in both spellings; names, addresses and mail as they are in the firm's file."""
    text = "\n".join([seen.server_log, *(line for lines in seen.lines.values() for line in lines)])
    words = set(re.findall(r"\w+", text))
    assert "payroll.calculate" in text
    assert len(_people()[:WORKERS]) == WORKERS
    for person in _people()[:WORKERS]:
        numbers = {person["ssn"], person["ssn"].replace("-", ""), person["bank_account_number"]} - {""}
        for value in (*numbers, person["email"], person["address_line1"], person["birth_date"]):
            assert value not in text, "a personal value is in a log line"
        for name in (person["first_name"], person["last_name"]):
            assert not (words & set(re.findall(r"\w+", name))), "a name is in a log line"


def test_no_secret_is_in_a_line_or_on_a_command_line(seen: Seen) -> None:
    text = "\n".join([seen.server_log, seen.command_lines, *(line for lines in seen.lines.values() for line in lines)])
    assert "backoffice.cli" in seen.command_lines
    assert len(seen.secrets) >= 10
    for secret in seen.secrets:
        assert len(secret) > 20
        assert secret not in text, "a secret is told"


def test_a_trace_goes_from_the_request_to_its_job(seen: Seen) -> None:
    [request] = [line for line in seen.said("api", "span") if line["trace_id"] == TRACE]
    [job] = [line for line in seen.said("worker", "span") if line["trace_id"] == TRACE]
    assert (request["span"], request["parent_span_id"]) == ("POST /v1/payroll_runs/{run_id}/calculate", SPAN)
    assert (job["span"], job["parent_span_id"]) == ("job payroll.calculate", request["span_id"])


def test_the_trace_goes_on_to_the_webhooks_and_their_receiver(seen: Seen) -> None:
    """`payroll_run.calculated` is told by the job that the request caused."""
    [job] = [line for line in seen.said("worker", "span") if line["trace_id"] == TRACE]
    told = [line for line in seen.said("courier", "span") if line["trace_id"] == TRACE]
    assert {(line["span"], line["parent_span_id"]) for line in told} == {("webhook", job["span_id"])}
    received = [sent["traceparent"] for sent in seen.webhooks if TRACE in sent["traceparent"]]
    assert sorted(received) == sorted(f"00-{TRACE}-{line['span_id']}-01" for line in told)
    assert len(received) == 1
    unkept = [sent["traceparent"] for sent in seen.webhooks if sent["traceparent"].endswith("-00")]
    assert any("a" * 32 in each for each in unkept)  # carried, and not kept


def test_a_trace_that_its_caller_does_not_keep_is_not_kept_here(seen: Seen) -> None:
    kept = {line["trace_id"] for process in ("api", "worker", "courier") for line in seen.said(process, "span")}
    assert kept == {TRACE}  # none of the one not kept, and none started by what is no traceparent


def test_metrics_name_kinds_and_never_an_object(seen: Seen) -> None:
    samples = {
        process: [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        for process, text in seen.metrics.items()
    }
    told = {(sample.name, *sorted(sample.labels.items())) for sample in samples["api"]}
    path = "/v1/payroll_runs/{run_id}/calculate"
    assert ("bo_http_requests_total", ("method", "POST"), ("route", path), ("status", "202")) in told
    left = [(each.labels, each.value) for each in samples["worker"] if each.name == "bo_jobs_total"]
    done = {(labels["kind"], labels["outcome"]): value for labels, value in left}
    assert done["payroll.calculate", "succeeded"] == 2
    assert done["payroll.calculate", "failed"] == 0  # there before the first, or its alert would not see that rise
    swept = [each.value for each in samples["dispatcher"] if each.name == "bo_leases_swept_total"]
    assert len(swept) == 2
    assert any(sample.name == "bo_release_seconds_count" and sample.value >= 3 for sample in samples["dispatcher"])
    assert any(sample.name == "bo_courier_events_fanned_out_total" for sample in samples["courier"])
    shares = [sample.value for sample in samples["dispatcher"] if sample.name == "bo_tenant_slot_seconds_total"]
    assert sum(shares) > 0
    assert {sample.value for sample in samples["dispatcher"] if sample.name == "bo_dispatcher_leading"} == {1}
    bands = {sample.labels["band"] for sample in samples["dispatcher"] if sample.name == "bo_queue_age_seconds"}
    assert bands == {"interactive", "normal", "bulk"}
    names = {person[name] for person in _people() for name in ("first_name", "last_name", "email", "ssn")}
    for process, each in samples.items():
        for sample in each:
            labels = dict(sample.labels)
            if sample.name.startswith("bo_tenant_"):  # fairness is shown by tenant
                assert labels.pop("tenant").startswith("ten_")
            for value in labels.values():
                assert not ids.PATTERN.match(value), (process, sample.name, value)
                assert not _UUID.search(value), (process, sample.name, value)
                assert value not in names, (process, sample.name)


def test_every_process_tells_of_its_loops(seen: Seen) -> None:
    for process, (status, text) in seen.health.items():
        assert (status, text.startswith("last worked: ")) == (200, True), (process, text)
    assert set(seen.beats["api"]) == {"database"}
    assert set(seen.beats["worker"]) == {"database", "broker"}
    assert set(seen.beats["dispatcher"]) == {
        "lead"
    }  # the broker is asked by who leads, and without a database none does
    assert set(seen.beats["courier"]) == {"fan_out", "ledger", "scan", "look", "lease", "notes"}


def test_without_a_database_loops_turn_and_do_not_work(seen: Seen) -> None:
    asks = {
        "api": ["database"],
        "worker": ["database", "broker"],
        "dispatcher": ["lead"],
        "courier": ["fan_out", "scan"],
    }
    for process, loops in asks.items():
        for loop in loops:
            beat = seen.beats[process][loop]
            assert seen.beats_at - beat.worked > DARK_SECONDS - 2, (process, loop)  # a round under way ended well
            assert seen.beats_at - beat.turned < DARK_SECONDS - 1, (process, loop)


def test_without_a_database_the_api_lives_and_is_not_ready(seen: Seen) -> None:
    assert seen.without_database["/healthz"] == (200, "ok")
    assert seen.without_database["/readyz"] == (503, "the database does not answer")
    status, body = seen.without_database["/v1/workers"]
    assert (status, json.loads(body)["code"]) == (503, "temporarily_unavailable")
    assert json.loads(body)["retryable"] is True


def _in_a_process(code: str, status: int = 0) -> list[dict[str, Any]]:
    """The log lines of a process that runs `code` and ends with `status`."""
    setup = "from backoffice.platform import logs\nimport logging\nlogs.configure('test')\nlog = logs.get('part')\n"
    done = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_unknown_key_is_dropped_and_named() -> None:
    [line] = _in_a_process("log.info('said', count=3, first_name='Ada', ssn='900-12-3456')")
    assert (line["event"], line["part"], line["count"]) == ("said", "part", 3)
    assert line["dropped_fields"] == ["first_name", "ssn"]
    assert "Ada" not in str(line)
    assert "3456" not in str(line)


def test_what_is_bound_is_in_every_line_until_the_next_begins() -> None:
    lines = _in_a_process(
        "log.info('a'); logs.begin(request_id='req_1'); logs.also(tenant='t'); log.info('b')\n"
        "logs.begin(job_id='job_1'); log.info('c')"
    )
    assert [(line.get("request_id"), line.get("tenant"), line.get("job_id")) for line in lines] == [
        (None, None, None),
        ("req_1", "t", None),
        (None, None, "job_1"),
    ]


def test_a_library_says_its_text_but_not_what_it_is_about() -> None:
    open_, made, failed = _in_a_process(
        "library = logging.getLogger('a.library')\n"
        "library.warning('no answer from %s', 'Ada')\n"
        "library.warning('Ada is 900-12-3456')\n"
        "try:\n    raise ValueError('Ada')\nexcept ValueError:\n    library.exception('failed for %s', 'Ada')\n"
    )
    assert (open_["said"], made.get("said"), failed["said"]) == ("no answer from %s", None, "failed for %s")
    assert (open_["logger"], failed["error_type"]) == ("a.library", "ValueError")
    assert "Ada" not in str([open_, made, failed])


def test_a_crash_is_a_line_too() -> None:
    lines = _in_a_process(
        "import threading\n"
        "thread = threading.Thread(target=lambda: int('Ada'))\n"
        "thread.start()\nthread.join()\nint('Ada')",
        status=1,
    )
    assert [(line["event"], line["error_type"]) for line in lines] == [("crashed", "ValueError")] * 2
    assert "Ada" not in str(lines)


def test_an_exception_is_logged_by_type_and_place() -> None:
    try:
        ids.encode("Ada", uuid.uuid4())
    except KeyError as error:
        fields = logs.error_fields(error)
    assert fields["error_type"] == "KeyError"
    assert fields["where"].startswith("kernel/ids.py:")
    assert "Ada" not in str(fields)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-{SPAN}-01\n",
        f" {KEPT}",
    ],
)
def test_what_is_no_traceparent_is_ignored(header: str) -> None:
    with traces.span("request", traceparent=header) as span:
        carried = span.traceparent
    assert carried is not None
    assert TRACE not in carried
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", carried)


def test_a_caller_s_trace_is_carried_on_though_it_is_not_kept() -> None:
    with traces.span("request", traceparent=NOT_KEPT) as span:
        assert span.traceparent == NOT_KEPT


def test_a_port_that_is_taken_is_told() -> None:
    settings = Settings(
        database_url="postgresql://127.0.0.1/none", queue_url="", passwords={}, broker_url=None, state=Path(),
        pepper="", storage_url="", metrics_port=free_port(),
    )  # fmt: skip
    with (
        observed(settings, "dispatcher"),
        pytest.raises(SettingsRefused, match="BACKOFFICE_METRICS_PORT"),
        observed(settings, "dispatcher"),
    ):
        pass
    with observed(replace(settings, metrics_port=0), "courier"), observed(settings, "api"):
        pass  # nothing is listened on
