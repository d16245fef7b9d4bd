"""The doors: endpoints, their log, events; what is refused; what another tenant sees."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.webhooks.bench import Bench, couriers

from backoffice.kernel import clock, ids
from backoffice.webhooks import commands

URL = "https://hooks.example.com/backoffice"


class Door:
    """HTTP with one key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def __call__(
        self, method: str, path: str, body: Any = None, *, status: int = 200, match: int | None = None, **headers: str
    ) -> Any:
        if match is not None:
            headers["if-match"] = f'"v{match}"'
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None


@pytest.fixture
def doors(world: Any, loop: asyncio.AbstractEventLoop, bench: Bench) -> Any:
    """Two firms' doors, each with its firm."""

    async def make() -> Any:
        firms = [await world.firm() for _ in range(2)]
        clients = [world.client(await key_of(world, firm.test)) for firm in firms]
        return [(firm, Door(client)) for firm, client in zip(firms, clients, strict=True)]

    return loop.run_until_complete(make())


SCOPES = frozenset({"webhook_endpoints:read", "webhook_endpoints:write", "events:read"})


async def key_of(world: Any, tenant: Any) -> str:
    """A key for webhooks and events."""
    key: str = await world.key(tenant, next(iter(tenant.keys)), scopes=SCOPES)
    return key


async def test_an_endpoint_lives_from_creation_to_removal(doors: Any) -> None:
    (_, call), _ = doors
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL, "external_id": "main"}, status=201)
    assert made["secret"].startswith("whsec_")
    assert (made["object"], made["status"], made["health"], made["event_types"]) == (
        *("webhook_endpoint", "enabled", "healthy"),
        None,
    )
    path = f"/v1/webhook_endpoints/{made['id']}"
    read = await call("GET", "/v1/webhook_endpoints/ext:main")
    assert {**read, "secret": made["secret"]} == made
    assert [each["id"] for each in (await call("GET", "/v1/webhook_endpoints?status=enabled"))["data"]] == [made["id"]]
    patch = {"description": "ours", "event_types": ["job.*", "job.*"], "metadata": {"team": "hr"}}
    changed = await call("PATCH", path, patch, match=1)
    assert (changed["version"], changed["event_types"], changed["metadata"]) == (2, ["job.*"], {"team": "hr"})
    paused = await call("POST", f"{path}/pause")
    assert (paused["status"], paused["status_reason"]) == ("paused", "by_request")
    refused = await call("POST", f"{path}/pause", status=409)
    assert refused["code"] == "webhook_endpoint_not_enabled"
    await call("POST", f"{path}/enable")
    assert (await call("POST", f"{path}/enable", status=409))["code"] == "webhook_endpoint_already_enabled"
    rotated = await call("POST", f"{path}/rotate_secret", {"overlap_hours": 1})
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"]
    await call("DELETE", path, match=1, status=412)
    await call("DELETE", path, match=rotated["version"], status=204)
    for gone in (path, "/v1/webhook_endpoints/ext:main"):
        assert (await call("GET", gone, status=404))["code"] == "not_found"
    await call("POST", "/v1/webhook_endpoints", {"url": URL, "external_id": "main"}, status=201)  # the name is free
    told = [event["type"] for event in (await call("GET", "/v1/events?object_type=webhook_endpoint"))["data"]]
    verbs = ["created", "deleted", "secret_rotated", "enabled", "paused", "updated", "created"]
    assert told == [f"webhook_endpoint.{verb}" for verb in verbs]
    assert made["secret"] not in str(await call("GET", "/v1/events"))


BAD = [
    ("http://hooks.example.com/", "url_scheme"),
    ("https://10.0.0.1/", "url_not_public"),
    ("https://169.254.169.254/latest/meta-data", "url_not_public"),
    ("https://[fd00::1]/", "url_not_public"),
    ("https://user:secret@hooks.example.com/", "url_has_credentials"),
    ("https://hooks.example.com:9200/", "url_port"),
    ("https://intranet.local/", "url_not_public"),
    (f"https://hooks.example.com/{'x' * 2048}", "too_long"),
    ("", "too_short"),
]


@pytest.mark.parametrize(("url", "code"), BAD)
async def test_an_address_that_may_not_be_called_is_refused(doors: Any, url: str, code: str) -> None:
    (_, call), _ = doors
    refused = await call("POST", "/v1/webhook_endpoints", {"url": url}, status=422)
    assert (refused["errors"][0]["pointer"], refused["errors"][0]["code"]) == ("#/url", code)
    assert "secret@" not in str(refused)
    assert (await call("GET", "/v1/webhook_endpoints"))["data"] == []


async def test_a_live_tenant_may_not_name_loopback(world: Any, bench: Bench) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.live)))
    for url in ("http://127.0.0.1:9000/", "https://localhost/", "https://127.0.0.1:8443/", "https://[::1]/"):
        refused = await call("POST", "/v1/webhook_endpoints", {"url": url}, status=422)
        assert {error["pointer"] for error in refused["errors"]} == {"#/url"}


async def test_a_filter_that_lets_nothing_through_is_refused_with_all_its_faults(doors: Any) -> None:
    (_, call), _ = doors
    body = {"url": "http://x", "event_types": ["job.succeded", "payrol_run.*", "job.*"]}
    refused = await call("POST", "/v1/webhook_endpoints", body, status=422)
    told = [(error["pointer"], error["code"]) for error in refused["errors"]]
    assert told == [
        ("#/url", "url_scheme"),
        ("#/url", "url_host"),
        ("#/event_types/0", "unknown_event_type"),
        ("#/event_types/1", "filter_matches_nothing"),
    ]
    assert "did you mean job.succeeded" in refused["errors"][-2]["detail"]
    assert "did you mean payroll_run.*" in refused["errors"][-1]["detail"]
    odds = [("payroll_run", "payroll_run.*"), ("*", "leave event_types out"), ("qqq.*", "there are api_key.*")]
    odds += [("job.succeeded.*", "job"), ("Job.Succeeded", "job.succeeded")]
    for odd, hint in odds:
        refused = await call("POST", "/v1/webhook_endpoints", {"url": URL, "event_types": [odd]}, status=422)
        (fault,) = refused["errors"]
        assert (fault["pointer"], hint in fault["detail"]) == ("#/event_types/0", True), fault
    assert (await call("GET", "/v1/webhook_endpoints"))["data"] == []
    empty = await call("POST", "/v1/webhook_endpoints", {"url": URL, "event_types": []}, status=422)
    assert empty["errors"][0]["code"] == "filter_matches_nothing"
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201)
    again = {"url": "https://10.1.1.1/", "event_types": ["no.such"]}
    refused = await call("PATCH", f"/v1/webhook_endpoints/{made['id']}", again, match=1, status=422)
    assert {error["pointer"] for error in refused["errors"]} == {"#/url", "#/event_types/0"}
    assert (await call("GET", f"/v1/webhook_endpoints/{made['id']}"))["version"] == 1


async def test_a_dry_run_tells_the_same_effects_and_stores_nothing(doors: Any) -> None:
    (_, call), _ = doors
    preview = await call("POST", "/v1/webhook_endpoints?dry_run=true", {"url": URL})
    assert (await call("GET", "/v1/webhook_endpoints"))["data"] == []
    await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201)
    (event,) = (await call("GET", "/v1/events?type=webhook_endpoint.created"))["data"]
    wanted, told = preview["effects"][0], event["data"]["effects"][0]
    for each in (wanted, told):
        each.pop("subject")
    assert wanted == told


async def test_the_same_key_creates_one_endpoint_and_shows_its_secret_again(doors: Any) -> None:
    (_, call), _ = doors
    key = {"idempotency-key": "one"}
    first = await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201, **key)
    assert await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201, **key) == first


async def test_the_log_shows_request_answer_and_timing(doors: Any, bench: Bench, settings: Any) -> None:
    (firm, call), _ = doors
    from aiohttp import web

    async with bench.receiver(lambda _: web.Response(status=410, text="closed for good")) as receiver:
        made = await call("POST", "/v1/webhook_endpoints", {"url": receiver.url, "event_types": ["job.*"]}, status=201)
        async with couriers(settings):
            await bench.tell(firm.test)
            await bench.settled(firm.test, "failed")
    log = await call("GET", f"/v1/webhook_endpoints/{made['id']}/deliveries?status=failed")
    (delivery,) = log["data"]
    assert (delivery["status"], delivery["sequence"], delivery["event_type"]) == ("failed", 1, "job.told")
    (attempt,) = delivery["attempts"]
    assert attempt["response"] == {"status": 410, "body": "closed for good"}
    assert attempt["request"]["url"] == receiver.url
    assert attempt["request"]["body"] == receiver.requests[0].raw.decode()
    assert attempt["milliseconds"] >= 0
    assert await call("GET", f"/v1/webhook_deliveries/{delivery['id']}") == delivery
    assert (await call("GET", f"/v1/webhook_endpoints/{made['id']}"))["status_reason"] == "gone"


async def test_events_are_read_by_cursor_and_an_endpoints_by_sequence(doors: Any, world: Any, bench: Bench) -> None:
    (firm, call), _ = doors
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL, "event_types": ["job.*"]}, status=201)
    await bench.tell(firm.test, 1, times=7)
    async with world.tx(firm.test) as tx:
        await commands.fan_out(tx)
    seen, page = [], await call("GET", "/v1/events?object_type=job&limit=3")
    while True:
        seen += [event["data"]["object"]["number"] for event in page["data"]]
        if not page["has_more"]:
            break
        page = await call("GET", f"/v1/events?object_type=job&limit=3&cursor={page['next_cursor']}")
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    one = page["data"][0]
    assert await call("GET", f"/v1/events/{one['id']}") == one
    assert "sequence" not in one
    path = f"/v1/webhook_endpoints/{made['id']}/events"
    first = await call("GET", f"{path}?after_sequence=2&limit=3")
    assert ([event["sequence"] for event in first["data"]], first["has_more"]) == ([3, 4, 5], True)
    rest = await call("GET", f"{path}?after_sequence=5")
    assert ([event["sequence"] for event in rest["data"]], rest["has_more"]) == ([6, 7], False)
    await call("GET", f"{path}?after_sequence=-1", status=400)
    await call("GET", f"{path}?limit=1001", status=400)
    await call("GET", "/v1/events?limit=1000")
    await call("GET", "/v1/events?limit=1001", status=400)
    assert (await call("GET", "/v1/events?type=job.nothing", status=400))["errors"][0]["code"] == "unknown_event_type"
    await call("GET", "/v1/events?created_at[gte]=yesterday", status=400)


async def test_another_tenants_ids_are_not_there(doors: Any, world: Any, bench: Bench) -> None:
    """Fault 20: endpoint, event and delivery of A, with B's key: the answer to an id that never was, byte for byte."""
    (ours, call), (theirs, other) = doors
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL, "external_id": "a"}, status=201)
    async with world.tx(ours.test) as tx:
        await commands.fan_out(tx)
    (event,) = (await call("GET", "/v1/events?type=webhook_endpoint.created"))["data"]
    delivery = (await call("GET", f"/v1/webhook_endpoints/{made['id']}/deliveries?event_id={event['id']}"))["data"][0]
    never = ids.new(clock.wall())
    paths = [
        ("GET", "/v1/webhook_endpoints/{}", "webhook_endpoint", made["id"]),
        ("GET", "/v1/webhook_endpoints/{}/events", "webhook_endpoint", made["id"]),
        ("GET", "/v1/webhook_endpoints/{}/deliveries", "webhook_endpoint", made["id"]),
        ("PATCH", "/v1/webhook_endpoints/{}", "webhook_endpoint", made["id"]),
        ("DELETE", "/v1/webhook_endpoints/{}", "webhook_endpoint", made["id"]),
        ("POST", "/v1/webhook_endpoints/{}/pause", "webhook_endpoint", made["id"]),
        ("POST", "/v1/webhook_endpoints/{}/enable", "webhook_endpoint", made["id"]),
        ("POST", "/v1/webhook_endpoints/{}/rotate_secret", "webhook_endpoint", made["id"]),
        ("GET", "/v1/events/{}", "event", event["id"]),
        ("GET", "/v1/webhook_deliveries/{}", "webhook_delivery", delivery["id"]),
    ]
    for method, path, kind, id_ in paths:
        body = {"url": URL} if method == "PATCH" else {} if "rotate" in path else None
        answers = []
        for told in (id_, ids.encode(kind, never)):
            match = 1 if method in ("PATCH", "DELETE") else None
            refused = await other(method, path.format(told), body, match=match, status=404)
            assert told in refused["instance"]
            answers.append({**refused, "request_id": "", "instance": ""})
        assert answers[0] == answers[1]
    await other("GET", "/v1/webhook_endpoints/ext:a", status=404)
    assert event["id"] not in [each["id"] for each in (await other("GET", "/v1/events?limit=1000"))["data"]]
    live = Door(world.client(await key_of(world, ours.live)))
    await live("GET", f"/v1/events/{event['id']}", status=404)
    assert (await call("GET", f"/v1/webhook_endpoints/{made['id']}"))["version"] == 1
    assert theirs.test.facts.id != ours.test.facts.id


async def test_a_cursor_of_another_tenant_is_refused(doors: Any, bench: Bench) -> None:
    (ours, call), (theirs, other) = doors
    for firm in (ours, theirs):
        await bench.tell(firm.test, 1, times=3)
    cursor = (await call("GET", "/v1/events?limit=1"))["next_cursor"]
    assert (await other("GET", f"/v1/events?limit=1&cursor={cursor}", status=400))["code"] == "cursor_invalid"
    assert (await call("GET", f"/v1/webhook_endpoints?cursor={cursor}", status=400))["code"] == "cursor_invalid"
    await call("GET", f"/v1/events?limit=1&cursor={cursor}")


async def test_each_door_asks_for_its_scope(world: Any, doors: Any) -> None:
    (firm, call), _ = doors
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201)
    only = Door(world.client(await world.key(firm.test, next(iter(firm.test.keys)), scopes=frozenset({"events:read"}))))
    await only("GET", "/v1/events")
    await only("GET", f"/v1/webhook_endpoints/{made['id']}/events")
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{made['id']}/deliveries")):
        refused = await only(
            method, f"/v1/webhook_endpoints{path}", {"url": URL} if method == "POST" else None, status=403
        )
        assert refused["code"] == "scope_missing"
