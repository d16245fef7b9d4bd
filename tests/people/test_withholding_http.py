"""Deductions and withholding orders of a worker, over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.people.test_people_http import added, key
from tests.world import World

CASE = "NY-SUP-0009-4471"


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def deduction(**more: Any) -> dict[str, Any]:
    return {"code": "charity", "amount": usd("10.00"), "effective_from": "2026-11-01", **more}


def order(**more: Any) -> dict[str, Any]:
    return {"kind": "support", "case_number": CASE, "amount": usd("75.00"), "served_on": "2026-11-02", **more}


def version(body: dict[str, Any]) -> dict[str, str]:
    return {"if-match": f'"v{body["version"]}"'}


async def post(http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await http.post(path, json=body, headers=key())
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def pointers(problem: dict[str, Any]) -> dict[str, str]:
    return {each["pointer"]: each["code"] for each in problem["errors"]}


async def events(http: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get(f"/v1/events?type={kind}")).json()["data"]
    return found


async def test_a_deduction_is_put_on_file_changed_and_ended(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        worker = await added(http)
        path = f"/v1/workers/{worker['id']}/deductions"
        rehearsed = await http.post(f"{path}?dry_run=true", json=deduction(), headers=key())
        assert rehearsed.status_code == 200
        assert (await http.get(path)).json()["data"] == []
        retry = key()
        made = await http.post(path, json=deduction(total_goal=usd("40.00")), headers=retry)
        again = await http.post(path, json=deduction(total_goal=usd("40.00")), headers=retry)
        assert (made.status_code, again.status_code, made.content) == (201, 201, again.content)
        there = made.json()
        assert (there["code"], there["amount"], there["percent"]) == ("charity", usd("10.00"), None)
        assert (there["total_goal"], there["yearly_goal"], there["effective_until"]) == (usd("40.00"), None, None)
        of_it = f"/v1/deductions/{there['id']}"
        assert (await http.get(of_it)).headers["etag"] == '"v1"'
        stale = await http.patch(of_it, json={}, headers={"if-match": '"v9"'})
        assert stale.status_code == 412
        change = {"amount": None, "percent": "0.025", "effective_until": "2026-12-31", "total_goal": None}
        changed = await http.patch(of_it, json=change, headers=version(there))
        assert changed.status_code == 200, changed.text
        now = changed.json()
        assert (now["amount"], now["percent"], now["total_goal"]) == (None, "0.025", None)
        assert (now["effective_until"], now["version"]) == ("2026-12-31", 2)
        same = await http.patch(of_it, json=change, headers=version(now))
        assert same.json()["version"] == 2
        assert len(await events(http, "deduction.created")) == 1
        [told] = await events(http, "deduction.updated")
        assert told["data"]["changed"] == ["amount", "effective_until", "percent", "total_goal"]
        assert told["data"]["previous"]["amount"] == usd("10.00")
        listed = (await http.get(f"{path}?code=charity&effective_until[gte]=2026-12-01")).json()["data"]
        assert [each["id"] for each in listed] == [there["id"]]


async def test_a_deduction_is_judged_by_the_rules_of_the_batch_door_all_faults_at_once(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        worker = await added(http)
        path = f"/v1/workers/{worker['id']}/deductions"
        wrong = deduction(
            code="roth", percent="0.1", effective_until="2026-10-31", total_goal=usd("0.00"), amount=usd("-1.00")
        )
        assert pointers(await post(http, path, wrong, 422)) == {
            "#/code": "unknown_code",
            "#": "both_given",
            "#/amount/amount": "negative",
            "#/effective_until": "before_effective_from",
            "#/total_goal/amount": "out_of_range",
        }
        neither = {"code": "charity", "effective_from": "2026-11-01"}
        assert pointers(await post(http, path, neither, 422)) == {"#/amount": "required"}
        assert pointers(await post(http, path, deduction(amount=None, percent="1.5"), 422)).keys() == {"#/percent"}
        there = await post(http, path, deduction(external_id="D-1"))
        refused = await http.patch(f"/v1/deductions/{there['id']}", json={"percent": "0.1"}, headers=version(there))
        assert (refused.status_code, pointers(refused.json())) == (422, {"#": "both_given"})
        twin = await post(http, path, deduction(external_id="D-1"), 409)
        assert pointers(twin) == {"#/external_id": "already_in_use"}


async def test_of_an_order_the_case_number_goes_in_and_is_shown_on_record_only(world: World) -> None:
    firm = await world.firm()
    keys = firm.test.keys
    async with world.client(keys["marisol-vega"]) as http:
        worker = await added(http)
        path = f"/v1/workers/{worker['id']}/withholding_orders"
        there = await post(http, path, order(payee_name="State Disbursement Unit", supports_other_family=True))
        assert (there["case_number_last4"], there["effective_from"]) == ("4471", "2026-11-02")
        assert (there["supports_other_family"], there["arrears_over_12_weeks"], there["dependents"]) == (
            True, False, None
        )  # fmt: skip
        of_it = f"/v1/withholding_orders/{there['id']}"
        more = {"arrears_over_12_weeks": True, "effective_until": "2027-01-31", "amount": usd("80.00")}
        changed = await http.patch(of_it, json=more, headers=version(there))
        assert (changed.status_code, changed.json()["arrears_over_12_weeks"]) == (200, True)
        for answer in (changed, await http.get(of_it), await http.get(path), await http.get("/v1/events?limit=50")):
            assert answer.status_code == 200
            assert CASE not in answer.text
        [told] = await events(http, "withholding_order.updated")
        assert told["data"]["changed"] == ["amount", "arrears_over_12_weeks", "effective_until"]
        assert (await http.post(f"{of_it}/reveal", json={"purpose": "order_remittance"})).status_code == 403
    reader = await world.key(firm.test, "marisol-vega", scopes=frozenset({"sensitive:read"}))
    async with world.client(reader) as http:
        shown = await http.post(f"{of_it}/reveal", json={"purpose": "order_remittance"})
        rehearsed = await http.post(f"{of_it}/reveal?dry_run=true", json={"purpose": "order_remittance"})
    assert (shown.json()["case_number"], rehearsed.json()["result"]["case_number"]) == (CASE, None)
    async with world.tx(firm.test) as tx:
        stored = await tx.connection.fetch(
            "SELECT action, changed, reason FROM app.audit_event WHERE tenant_id = $1 AND object_type = "
            "'withholding_order' ORDER BY at, id",
            firm.test.facts.id,
        )
        sealed = await tx.connection.fetchval(
            "SELECT case_number_sealed FROM app.withholding_order WHERE tenant_id = $1", firm.test.facts.id
        )
    actions = [row["action"] for row in stored]
    assert actions == ["withholding_order.created", "withholding_order.updated", "worker.revealed"]
    assert stored[-1]["reason"] == "order_remittance"
    assert CASE.encode() not in bytes(sealed)
    assert all(CASE not in str(row["changed"]) for row in stored)


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        ({"kind": "alimony"}, {"#/kind": "unknown_kind"}),
        ({"amount": None}, {"#/amount": "required"}),
        ({"percent": "0.1"}, {"#": "both_given"}),
        ({"case_number": "  12  "}, {"#/case_number": "too_short"}),
        (
            {"effective_from": "2026-11-01", "effective_until": "2026-10-31", "kind": "x"},
            {
                "#/kind": "unknown_kind",
                "#/effective_from": "before_served",
                "#/effective_until": "before_effective_from",
            },
        ),
    ],
)
async def test_what_is_no_order_is_refused(world: World, more: dict[str, Any], faults: dict[str, str]) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        worker = await added(http)
        path = f"/v1/workers/{worker['id']}/withholding_orders"
        assert pointers(await post(http, path, order(**more), 422)) == faults


async def test_a_levy_may_name_no_amount_and_a_viewer_changes_nothing(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        worker = await added(http)
        path = f"/v1/workers/{worker['id']}/withholding_orders"
        levy = await post(http, path, {**order(kind="federal_levy", dependents=2), "amount": None})
        assert (levy["amount"], levy["percent"], levy["dependents"]) == (None, None, 2)
    viewer = await world.key(firm.test, "marisol-vega", scopes=frozenset({"withholding_orders:read", "workers:read"}))
    async with world.client(viewer) as http:
        assert (await http.get(path)).status_code == 200
        body = {"idempotency-key": secrets.token_hex(8)}
        assert (await http.post(path, json=order(), headers=body)).status_code == 403
        assert (await http.get(f"/v1/workers/{worker['id']}/deductions")).status_code == 403


@pytest.mark.parametrize(("where", "made"), [("deductions", deduction), ("withholding_orders", order)])
async def test_an_external_id_that_is_anothers_is_refused_and_changes_nothing(
    world: World, where: str, made: Callable[..., dict[str, Any]]
) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        path = f"/v1/workers/{(await added(http))['id']}/{where}"
        await post(http, path, made(external_id="theirs"))
        there = await post(http, path, made())
        assert pointers(await post(http, path, made(external_id="theirs"), 409)) == {"#/external_id": "already_in_use"}
        change = {"external_id": "theirs", "amount": usd("11.00")}
        answer = await http.patch(f"/v1/{where}/{there['id']}", json=change, headers=version(there))
        assert (answer.status_code, pointers(answer.json())) == (409, {"#/external_id": "already_in_use"})
        assert (await http.get(f"/v1/{where}/{there['id']}")).json() == there
