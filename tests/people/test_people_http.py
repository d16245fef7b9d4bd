"""Workers and what belongs to them, over HTTP."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
from tests.world import World

ADDRESS = {"line1": "12 Sample Street", "city": "Buffalo", "state": "NY", "postal_code": "14203"}
ROUTING = "990000013"


def worker(**more: Any) -> dict[str, Any]:
    return {"first_name": "Łucja", "last_name": "Conceição", "address": ADDRESS, **more}


def ssn() -> str:
    return f"900-{secrets.randbelow(99) + 1:02d}-{secrets.randbelow(9999) + 1:04d}"


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(8)}


async def added(http: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await http.post("/v1/workers", json=worker(**more), headers=key())
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_numbers_of_a_person_go_in_and_do_not_come_out(world: World) -> None:
    firm = await world.firm()
    number = ssn()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http, external_id="BH-1", ssn=number, birth_date="1990-02-03", email="a@b.example")
        assert made["number"] == 1001
        assert (made["ssn_last4"], made["birth_date_on_file"], made["status"]) == (number[-4:], True, "active")
        for answer in (
            await http.get(f"/v1/workers/{made['id']}"),
            await http.get("/v1/workers/ext:BH-1"),
            await http.get("/v1/workers?email=a@b.example"),
        ):
            assert answer.status_code == 200
            assert number not in answer.text
            assert number.replace("-", "") not in answer.text
            assert "1990-02-03" not in answer.text
        second = await added(http)
        assert (second["number"], second["ssn_last4"], second["birth_date_on_file"]) == (1002, None, False)
        listed = (await http.get("/v1/workers?sort=number&limit=1")).json()
        assert ([each["id"] for each in listed["data"]], listed["has_more"]) == ([made["id"]], True)
        following = (await http.get(f"/v1/workers?sort=number&limit=1&cursor={listed['next_cursor']}")).json()
        assert [each["id"] for each in following["data"]] == [second["id"]]


async def test_what_is_a_social_security_number_is_a_fact_of_the_tenant(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.live.keys["marisol-vega"]) as http:
        refused = await http.post("/v1/workers", json=worker(ssn="900-12-3456"), headers=key())
        assert refused.status_code == 422
        assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("#/ssn", "ssn_area_not_accepted")]
        assert "900-12-3456" not in refused.text
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        refused = await http.post("/v1/workers", json=worker(ssn="899-12-3456"), headers=key())
        assert refused.json()["errors"][0]["code"] == "ssn_area_not_accepted"
        await added(http, ssn="000-12-3456")


async def test_all_faults_are_told_at_once_and_none_repeats_a_number(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        bad = worker(first_name="   ", ssn="123-45-6789", birth_date="2099-01-01", address={**ADDRESS, "state": "ZZ"})
        answer = await http.post("/v1/workers", json=bad, headers=key())
    assert answer.status_code == 422
    assert {e["pointer"]: e["code"] for e in answer.json()["errors"]} == {
        "#/first_name": "blank",
        "#/ssn": "ssn_area_not_accepted",
        "#/birth_date": "out_of_range",
        "#/address/state": "unknown_state",
    }
    assert "6789" not in answer.text


async def test_an_external_id_and_a_number_are_one_worker_s(world: World) -> None:
    firm = await world.firm()
    number = ssn()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        await added(http, external_id="BH-1", ssn=number)
        other = await added(http, external_id="BH-2")
        twin = await http.post("/v1/workers", json=worker(external_id="BH-1", ssn=number), headers=key())
        assert (twin.status_code, twin.json()["code"]) == (409, "worker_exists")
        assert sorted(e["pointer"] for e in twin.json()["errors"]) == ["#/external_id", "#/ssn"]
        taken = await http.patch(
            f"/v1/workers/{other['id']}", json={"ssn": number.replace("-", "")}, headers={"if-match": '"v1"'}
        )
        assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "#/ssn")
        assert number not in taken.text


async def test_a_merge_patch_changes_what_it_names(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http, middle_name="Pedro", metadata={"team": "red", "desk": "4"})
        path = f"/v1/workers/{made['id']}"
        assert (await http.patch(path, json={"last_name": "Silva"})).status_code == 428
        patch = {"middle_name": None, "address": {"state": "PA", "city": "Erie"}, "metadata": {"desk": None}}
        preview = await http.patch(path + "?dry_run=true", json=patch, headers={"if-match": '"v1"'})
        done = await http.patch(path, json=patch, headers={"if-match": '"v1"'})
        assert done.status_code == 200, done.text
        body = done.json()
        assert (body["middle_name"], body["version"], body["metadata"]) == (None, 2, {"team": "red"})
        assert body["address"] == {**ADDRESS, "line2": None, "state": "PA", "city": "Erie"}
        assert done.headers["etag"] == '"v2"'
        stale = await http.patch(path, json={"last_name": "Silva"}, headers={"if-match": '"v1"'})
        assert (stale.status_code, stale.json()["version"]) == (412, 2)
        same = await http.patch(path, json=patch, headers={"if-match": '"v2"'})
        assert same.json()["version"] == 2
    assert [effect["kind"] for effect in preview.json()["effects"]] == ["worker_changed", "residence_changed"]
    assert preview.json()["effects"][1]["after"] == {"state": "PA"}


async def test_a_reveal_is_audited_field_by_field_and_a_dry_run_shows_nothing(world: World) -> None:
    firm = await world.firm()
    number = ssn()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http, ssn=number, birth_date="1990-02-03")
        asked = {"fields": ["ssn", "birth_date", "bank_account_number"], "purpose": "w2_correction"}
        path = f"/v1/workers/{made['id']}/reveal"
        refused = await http.post(path, json=asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        rehearsed = await http.post(path + "?dry_run=true", json=asked)
        assert number not in rehearsed.text
        assert rehearsed.json()["result"]["ssn"] is None
        assert await audited(world, firm.test, "worker.revealed") == []
        shown = (await http.post(path, json=asked)).json()
        assert (shown["ssn"], shown["birth_date"], shown["bank_account_number"]) == (number, "1990-02-03", None)
        wrong = await http.post(path, json={"fields": ["ssn"], "purpose": "Because I can"})
        assert wrong.status_code == 422
    rows = await audited(world, firm.test, "worker.revealed")
    assert [row["changed"]["field"] for row in rows] == asked["fields"]
    assert {row["reason"] for row in rows} == {"w2_correction"}
    assert number[-4:] not in str([dict(row) for row in rows])


async def test_one_employment_at_a_time(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http)
        path = f"/v1/workers/{made['id']}/employments"
        wrong = await http.post(path, json={"hired_on": "2026-01-05", "pay_schedule": "fortnightly"}, headers=key())
        assert wrong.json()["errors"][0]["code"] == "unknown_pay_schedule"
        hired = await http.post(path, json={"hired_on": "2026-01-05", "pay_schedule": "weekly"}, headers=key())
        assert hired.status_code == 201, hired.text
        again = await http.post(path, json={"hired_on": "2026-02-05", "pay_schedule": "weekly"}, headers=key())
        assert (again.status_code, again.json()["code"]) == (409, "employment_open")
        employment = f"/v1/employments/{hired.json()['id']}"
        early = await http.post(employment + "/end", json={"ended_on": "2026-01-04"})
        assert early.json()["errors"][0]["code"] == "before_hire"
        ended = await http.post(employment + "/end", json={"ended_on": "2026-06-30"})
        assert ended.json()["ended_on"] == "2026-06-30"
        twice = await http.post(employment + "/end", json={"ended_on": "2026-06-30"})
        assert (twice.status_code, twice.json()["code"]) == (409, "employment_ended")
        overlap = await http.post(path, json={"hired_on": "2026-06-30", "pay_schedule": "weekly"}, headers=key())
        assert overlap.json()["errors"][0]["code"] == "overlaps"
        rehired = await http.post(path, json={"hired_on": "2026-07-01", "pay_schedule": "weekly"}, headers=key())
        assert rehired.status_code == 201
        assert len((await http.get(path)).json()["data"]) == 2
        assert (await http.get(employment)).json()["hired_on"] == "2026-01-05"


async def test_certificates_follow_each_other(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http)
        path = f"/v1/workers/{made['id']}/tax_elections"
        older = {"version": "2019_or_earlier", "filing_status": "head_of_household", "step2_checkbox": True}
        refused = await http.post(
            path, json={"jurisdiction": "US", "effective_from": "2026-01-01", "w4": {**older, "allowances": 2}}
        )
        assert {e["pointer"] for e in refused.json()["errors"]} == {"#/w4/filing_status", "#/w4/step2_checkbox"}
        mixed = await http.post(path, json={"jurisdiction": "CA", "effective_from": "2026-01-01", "w4": older})
        assert "#/state_certificate" in {e["pointer"] for e in mixed.json()["errors"]}
        w4 = {
            "version": "2020_or_later",
            "filing_status": "married_filing_jointly",
            "step3": {"amount": "4400.00", "currency": "USD"},
        }
        filed = await http.post(path, json={"jurisdiction": "US", "effective_from": "2026-01-01", "w4": w4})
        assert filed.status_code == 201, filed.text
        assert filed.json()["w4"]["step3"]["amount"] == "4400.00"
        state = {"jurisdiction": "CA", "effective_from": "2026-01-01", "state_certificate": {"allowances": 2}}
        assert (await http.post(path, json=state)).status_code == 201
        listed = (await http.get(path + "?jurisdiction=CA")).json()["data"]
        assert [each["state_certificate"]["allowances"] for each in listed] == [2]
        assert (await http.get(f"/v1/tax_elections/{filed.json()['id']}")).json() == filed.json()


async def test_a_states_certificate_says_what_its_form_has_and_nothing_else(world: World) -> None:
    firm = await world.firm()
    more = {"amount": "12.50", "currency": "USD"}
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http)
        path = f"/v1/workers/{made['id']}/tax_elections"

        async def filed(state: str, on: str = "2026-01-01", **form: object) -> httpx.Response:
            given = {"jurisdiction": state, "effective_from": on, "state_certificate": form}
            return await http.post(path, json=given)

        for state, form in {
            "IN": {"exemptions": {"dependent": 2, "adopted": 1}, "county_rate": "0.0202"},
            "AZ": {"elected_rate": "0.035", "additional_withholding": more},
            "MO": {"status": "married_both", "exempt": True},
            "MS": {"status": "single", "elected_annual_exemption": {"amount": "8300.00", "currency": "USD"}},
            "MD": {"status": "a", "local_rate": "0.032"},
        }.items():
            told = await filed(state, **form)
            assert told.status_code == 201, told.text
            said = told.json()["state_certificate"]
            assert {name: said[name] for name in form} == {
                name: value | {"first_time_dependent": 0} if name == "exemptions" else value
                for name, value in form.items()
            }
            assert (await http.get(f"/v1/tax_elections/{told.json()['id']}")).json() == told.json()
        refused = await filed("CT", status="single", elected_rate="0.01", exemptions={"adopted": 1})
        assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [
            ("#/state_certificate/status", "unknown_status"),
            ("#/state_certificate/exemptions/dependent", "unknown_field"),
            ("#/state_certificate/exemptions/first_time_dependent", "unknown_field"),
            ("#/state_certificate/exemptions/adopted", "unknown_field"),
            ("#/state_certificate/elected_rate", "unknown_field"),
        ]
        for state, form, fault in (
            ("TX", {"exempt": True}, ("exempt", "unknown_field")),
            ("AZ", {"elected_rate": "0.011"}, ("elected_rate", "invalid_value")),
            ("MD", {"status": "a", "local_rate": "0.04"}, ("local_rate", "out_of_range")),
            (
                "CA",
                {"additional_withholding": more | {"amount": "-1.00"}},
                ("additional_withholding/amount", "negative"),
            ),
        ):
            [error] = (await filed(state, **form)).json()["errors"]
            assert (error["pointer"], error["code"]) == (f"#/state_certificate/{fault[0]}", fault[1])
        assert (await filed("CA", on="2019-03-01", status="married")).status_code == 201  # before any law known here


async def test_net_pay_goes_to_one_account(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http, external_id="BH-1")
        path = "/v1/workers/ext:BH-1/bank_accounts"
        account = {"routing_number": ROUTING, "account_number": "9265207137", "kind": "checking"}
        wrong = await http.post(path, json={**account, "routing_number": "990000014"}, headers=key())
        assert wrong.json()["errors"][0]["code"] == "wrong_check_digit"
        first = await http.post(path, json=account, headers=key())
        assert first.status_code == 201, first.text
        assert (first.json()["account_last4"], first.json()["holder_name"]) == ("7137", "Łucja Conceição")
        assert "9265207137" not in first.text
        same = await http.post(path, json=account, headers=key())
        assert (same.status_code, same.json()["code"]) == (409, "bank_account_exists")
        preview = await http.post(
            path + "?dry_run=true", json={**account, "account_number": "00001234", "kind": "savings"}
        )
        kinds = [effect["kind"] for effect in preview.json()["effects"]]
        assert kinds == ["pay_account_closed", "pay_account_changed"]
        second = await http.post(path, json={**account, "account_number": "00001234"}, headers=key())
        assert second.status_code == 201
        statuses = {each["account_last4"]: each["status"] for each in (await http.get(path)).json()["data"]}
        assert statuses == {"7137": "closed", "1234": "active"}
        close = f"/v1/bank_accounts/{second.json()['id']}/close"
        assert (await http.post(close)).json()["status"] == "closed"
        assert (await http.post(close)).json()["code"] == "bank_account_closed"
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        shown = await http.post(
            f"/v1/workers/{made['id']}/reveal", json={"fields": ["bank_account_number"], "purpose": "return_r03"}
        )
        assert shown.json()["bank_account_number"] is None


async def test_opening_amounts_of_a_year_are_replaced(world: World) -> None:
    firm = await world.firm()

    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "USD"}

    async with world.client(firm.test.keys["marisol-vega"]) as http:
        made = await added(http)
        path = f"/v1/workers/{made['id']}/opening_balances"
        bad = {
            "year": 2026,
            "social_security_wages": money("2.00"),
            "medicare_wages": money("1.00"),
            "states": [{"state": "NY", "wages": money("1.00")}, {"state": "NY", "wages": money("-1.00")}],
        }
        refused = await http.post(path, json=bad)
        assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
            ("#/states/1/wages/amount", "negative"),
            ("#/medicare_wages", "out_of_range"),
            ("#/states/1/state", "repeated"),
        ]
        good = {
            "year": 2026,
            "gross": money("39636.65"),
            "social_security_wages": money("39636.65"),
            "medicare_wages": money("39636.65"),
            "futa_wages": money("7000.00"),
            "states": [{"state": "NY", "wages": money("39636.65")}],
            "programmes": [{"code": "NY_PFL", "wages": money("39636.65"), "amount": money("153.79")}],
        }
        first = await http.post(path, json=good)
        assert first.status_code == 201, first.text
        assert first.json()["programmes"] == good["programmes"]
        again = await http.post(path, json=good)
        assert again.json()["version"] == 1
        changed = await http.post(path, json={**good, "gross": money("40000.00"), "programmes": []})
        assert (changed.json()["version"], changed.json()["programmes"]) == (2, [])
        assert len((await http.get(path)).json()["data"]) == 1


async def test_another_tenant_s_worker_is_not_there(world: World) -> None:
    mine, other = await world.firm(), await world.firm()
    async with world.client(mine.test.keys["marisol-vega"]) as http:
        made = await added(http, external_id="BH-1")
    async with world.client(other.test.keys["dana-whitfield"]) as http:
        for path in (
            f"/v1/workers/{made['id']}",
            "/v1/workers/ext:BH-1",
            f"/v1/workers/{made['id']}/employments",
            f"/v1/workers/{made['id']}/bank_accounts",
        ):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await http.get("/v1/workers")).json()["data"] == []


async def audited(world: World, tenant: Any, action: str) -> list[Any]:
    from sqlalchemy import select

    from backoffice.platform.models import audit_event
    from backoffice.platform.tables import TENANT

    async with world.tx(tenant) as tx:
        rows: list[Any] = await tx.fetch(
            select(*audit_event.c)
            .where(audit_event.c.tenant_id == TENANT, audit_event.c.action == action)
            .order_by(audit_event.c.id)
        )
    return rows
