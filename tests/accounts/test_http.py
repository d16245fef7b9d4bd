"""Keys, people and clocks over HTTP, and what the edge promises about every request."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from tests.contract.said import logged
from tests.world import World

from backoffice.api import build, server_config
from backoffice.kernel import ids
from backoffice.platform.web.authenticate import Authenticator


async def test_the_tenant_of_a_key(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        answer = await http.get("/v1/tenant")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["livemode"], body["name"], body["time_zone"]) == (False, "test", "America/New_York")
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["api-version"] == "2026-11-21"
    assert answer.headers["ratelimit-policy"].startswith('"tenant";q=1200;w=60')


async def test_a_key_is_shown_once_and_does_at_most_what_its_maker_may(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        made = await http.post("/v1/api_keys", json={"name": "for reports", "scopes": ["workers:read"]})
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        assert made.headers["etag"] == '"v1"'
        read = await http.get(f"/v1/api_keys/{made.json()['id']}")
        assert "secret" not in read.json()
        beyond = await http.post("/v1/api_keys", json={"name": "more", "scopes": ["payroll_runs:pay"]})
        assert (beyond.status_code, beyond.json()["code"]) == (403, "scope_not_yours")
        async with world.client(secret) as narrow:
            refused = await narrow.get("/v1/people")
            assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        ended = await http.post(f"/v1/api_keys/{made.json()['id']}/revoke", json={}, headers={"if-match": '"v1"'})
        assert ended.status_code == 200, ended.text
        async with world.client(secret) as narrow:
            assert (await narrow.get("/v1/tenant")).status_code == 401


async def test_a_key_says_when_it_was_last_used(world: World) -> None:
    """Also one that is answered from what is kept in the process."""
    firm = await world.firm()
    authenticator = Authenticator(world.runtime.db, world.runtime.peppers, keep=60)
    async with world.client(firm.test.keys["dana-whitfield"], app=build(world.runtime, authenticator)) as http:
        made = (await http.post("/v1/api_keys", json={"name": "for reports", "scopes": ["tenant:read"]})).json()
        for _ in range(2):
            key = f"Bearer {made['secret']}"
            assert (await http.get("/v1/tenant", headers={"authorization": key})).status_code == 200
            assert (await http.get(f"/v1/api_keys/{made['id']}")).json()["last_used_at"] is None
            await authenticator.note_use()
            shown = (await http.get(f"/v1/api_keys/{made['id']}")).json()["last_used_at"]
            assert abs(datetime.fromisoformat(shown) - datetime.now(UTC)) < timedelta(minutes=1)
            async with world.control.untenanted() as connection:
                await connection.execute("UPDATE ctl.credential SET last_used_at = NULL")


async def test_a_key_that_is_replaced_opens_for_some_days_and_can_be_ended_sooner(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        made = (await http.post("/v1/api_keys", json={"name": "old", "scopes": ["tenant:read"]})).json()
        path, version = f"/v1/api_keys/{made['id']}/revoke", 1
        async with world.client(made["secret"]) as old:
            for keep, opens in ((7, 200), (1, 200), (0, 401)):
                ended = await http.post(path, json={"keep_days": keep}, headers={"if-match": f'"v{version}"'})
                assert ended.status_code == 200, ended.text
                version = ended.json()["version"]
                left = datetime.fromisoformat(ended.json()["revoked_at"]) - datetime.now(UTC)
                assert abs(left - timedelta(days=keep)) < timedelta(minutes=1)
                assert (await old.get("/v1/tenant")).status_code == opens
                longer = await http.post(path, json={"keep_days": keep}, headers={"if-match": f'"v{version}"'})
                assert (longer.status_code, longer.json()["code"]) == (409, "key_revoked")


async def test_a_key_that_was_kept_for_some_days_ends_by_itself(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        made = (await http.post("/v1/api_keys", json={"name": "old", "scopes": ["tenant:read"]})).json()
        match = {"if-match": '"v1"'}
        await http.post(f"/v1/api_keys/{made['id']}/revoke", json={"keep_days": 7}, headers=match)
        async with world.client(made["secret"]) as old:
            assert (await old.get("/v1/tenant")).status_code == 200
            async with world.control.untenanted() as connection:
                await connection.execute(
                    "UPDATE ctl.credential SET not_after = not_after - interval '7 days' WHERE key_id = $1",
                    ids.decode("api_key", made["id"]),
                )
            assert (await old.get("/v1/tenant")).status_code == 401


async def test_a_key_opens_from_where_it_may_and_from_nowhere_else(world: World) -> None:
    firm = await world.firm()
    app = build(world.runtime, Authenticator(world.runtime.db, world.runtime.peppers, keep=60))

    async def read(app_: Any, key: str, address: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app_, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
            return await http.get("/v1/tenant", headers={"authorization": f"Bearer {key}", **headers})

    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        body = {"name": "for the office", "allowed_ips": ["203.0.113.0/24", "2001:db8::1"]}
        made = (await http.post("/v1/api_keys", json=body)).json()
        assert made["allowed_ips"] == ["203.0.113.0/24", "2001:db8::1/128"]
        assert (await http.get(f"/v1/api_keys/{made['id']}")).json()["allowed_ips"] == made["allowed_ips"]
        wrong = await http.post("/v1/api_keys", json={"name": "x", "allowed_ips": ["203.0.113.7/24", "::/200"]})
        assert [each["pointer"] for each in wrong.json()["errors"]] == ["#/allowed_ips/0", "#/allowed_ips/1"]
    for address in ("203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"):
        assert (await read(app, made["secret"], address)).status_code == 200
    unknown = await read(app, "bo_sk_test_EXAMPLEonlyEXAMPLEonlyEXAMPLE01YEiuC", "203.0.113.7")
    with logged() as lines:
        for address in ("203.0.114.7", "2001:db8::2", "127.0.0.1", "", "unix"):
            refused = await read(app, made["secret"], address)
            assert refused.status_code == 401
            same = {"title", "detail", "code", "fix"}
            assert {n: refused.json()[n] for n in same} == {n: unknown.json()[n] for n in same}
    warned = [line for line in lines.getvalue().splitlines() if "key_from_elsewhere" in line]
    assert len(warned) == 5
    assert made["secret"] not in lines.getvalue()
    # Behind a proxy that is named, the address is the one it was told; from anybody else the header is only a claim.
    config = server_config(replace(world.runtime.settings, trusted_proxies="10.0.0.1"), app)
    config.load()
    told = {"x-forwarded-for": "203.0.113.7"}
    assert (await read(config.loaded_app, made["secret"], "10.0.0.1", **told)).status_code == 200
    assert (await read(config.loaded_app, made["secret"], "10.0.0.2", **told)).status_code == 401
    unnamed = server_config(world.runtime.settings, app)
    unnamed.load()
    assert (await read(unnamed.loaded_app, made["secret"], "127.0.0.1", **told)).status_code == 401


async def test_a_key_is_made_with_scopes_that_there_are_and_a_future(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        await http.post("/v1/test/clocks", json={"frozen_time": "2020-01-01T00:00:00Z"})
        body = {"name": "x", "scopes": ["tenant:read", "tenants:read"], "expires_at": "2021-01-01T00:00:00Z"}
        answer = await http.post("/v1/api_keys", json=body)
        assert answer.status_code == 422, answer.text
        told = {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
        assert told == {"#/scopes/1": "unknown_scope", "#/expires_at": "in_the_past"}  # by the clock that closes it


async def test_all_faults_of_a_body_are_told_at_once(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        answer = await http.post("/v1/api_keys", json={"kind": "xx", "scopes": [1, "workers:read"], "colour": "red"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
    assert told == {
        "#/colour": "unknown_field",
        "#/name": "required",
        "#/kind": "not_allowed",
        "#/scopes/0": "wrong_type",
    }


async def test_a_test_clock_freezes_and_goes_forward_only(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        clock = await http.post("/v1/test/clocks", json={"frozen_time": "2026-11-16T09:00:00-05:00"})
        assert clock.status_code == 201, clock.text
        assert (await http.get("/v1/tenant")).json()["now"] == "2026-11-16T14:00:00Z"
        path = f"/v1/test/clocks/{clock.json()['id']}/advance"
        back = await http.post(path, json={"to": "2026-11-15T09:00:00-05:00"}, headers={"idempotency-key": "a"})
        assert (back.status_code, back.json()["code"]) == (409, "clock_goes_forward")
        preview = await http.post(
            path + "?dry_run=true", json={"to": "2026-11-20T09:00:00-05:00"}, headers={"idempotency-key": "b"}
        )
        assert preview.headers["bo-dry-run"] == "true"
        moved = await http.post(path, json={"to": "2026-11-20T09:00:00-05:00"}, headers={"idempotency-key": "c"})
        assert moved.status_code == 202
        await world.work(firm.test)
        assert (await http.get("/v1/tenant")).json()["now"] == "2026-11-20T14:00:00Z"
    async with world.client(firm.live.keys["dana-whitfield"]) as http:
        refused = await http.post("/v1/test/clocks", json={"frozen_time": "2026-11-16T09:00:00-05:00"})
        assert (refused.status_code, refused.json()["code"]) == (409, "test_tenants_only")
