"""Input that is well-formed for HTTP and JSON and still nothing a database takes: refused, never a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
from tests.world import World

ADDRESS = {"line1": "1 Road", "city": "Buffalo", "state": "NY", "postal_code": "14203"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/workers/ext:%00",
        "/v1/workers/%00",
        "/v1/workers/wrk_00000000000000000000000000/employments",
        "/v1/timesheets/ext:%00/versions",
        "/v1/bulk_jobs/ext:%00/errors.csv",
    ],
)
async def test_an_id_that_cannot_be_is_not_there(world: World, path: str) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "number=99999999999999999999",
        "number=--5",
        "email=%00",
        "created_at[gte]=yesterday",
        "status=asleep",
        "state[in]=NY,%00",
    ],
)
async def test_a_filter_that_cannot_be_is_refused(world: World, query: str) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        answer = await http.get(f"/v1/workers?{query}")
        assert answer.status_code == 400, answer.text


async def test_a_number_too_large_for_its_column_is_refused(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        body = {"first_name": "A", "last_name": "B", "address": ADDRESS}
        made = (await http.post("/v1/workers", json=body, headers={"idempotency-key": "1"})).json()
        answer = await http.get(f"/v1/workers/{made['id']}/opening_balances?year=40000")
        assert answer.status_code == 400


@pytest.mark.parametrize("metadata", [{"\x00": "a"}, {"a": "\x00"}, {"a": 1}, {"": "x"}, {"k" * 41: "x"}])
async def test_metadata_that_cannot_be_stored_is_refused(world: World, metadata: dict[str, Any]) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        body = {"first_name": "A", "last_name": "B", "address": ADDRESS}
        made = (await http.post("/v1/workers", json=body, headers={"idempotency-key": "1"})).json()
        headers = {"idempotency-key": "2", "if-match": '"v1"'}
        refused = await http.post("/v1/workers", json={**body, "metadata": metadata}, headers=headers)
        assert refused.status_code == 422, refused.text
        patched = await http.patch(f"/v1/workers/{made['id']}", json={"metadata": metadata}, headers=headers)
        assert patched.status_code == 422, patched.text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_a_week_at_the_end_of_time_is_refused(world: World, day: str) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        body = {"assignment_id": "ext:A", "week_start": day, "entries": [{"date": day, "hours": "1"}]}
        answer = await http.post("/v1/timesheets", json=body)
        assert {fault["pointer"] for fault in answer.json()["errors"]} == {"#/assignment_id", "#/week_start"}
