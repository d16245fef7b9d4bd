"""The published schemas: every type has one with a valid example, and what is emitted validates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import jsonschema_rs
import msgspec
import pytest
from sqlalchemy import select
from tests.webhooks.bodies import faults

from backoffice import courier
from backoffice.api import HANDLERS
from backoffice.platform.courier import catalogue, examples
from backoffice.platform.events import CATALOGUE, event_type
from backoffice.platform.models import event
from backoffice.platform.tables import TENANT
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import CreateWebhookEndpoint, RotateSecret

assert courier.POST
assert HANDLERS  # the whole product is imported, so the catalogue is complete


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_type_has_a_schema_whose_example_validates(name: str) -> None:
    kind = CATALOGUE[name]
    schema = catalogue.schema(kind)
    jsonschema_rs.meta.validate(schema)
    assert faults(json.dumps(schema["examples"][0])) == []
    assert schema["examples"][0]["data"]["object"]["id"].startswith(examples.id_of(kind.object_type)[:3])


STATUS_OF_ITS_NAME = {
    "approved", "available", "blocked", "canceled", "closed", "disabled", "ended", "failed", "paid", "paused", "ready",
    "rejected", "returned", "submitted", "succeeded",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_example_has_the_status_that_its_type_speaks_of(name: str) -> None:
    """Whoever tries a receiver with examples sees the paid run as paid."""
    object_, verb = catalogue.example(CATALOGUE[name])["data"]["object"], name.partition(".")[2]
    assert object_.get("status") != "text", "give its event_type a status"
    if "status" in object_ and verb in STATUS_OF_ITS_NAME:
        assert object_["status"] == verb


def test_a_body_that_differs_is_refused() -> None:
    body = catalogue.example(CATALOGUE["webhook_endpoint.created"])
    assert faults(json.dumps(body)) == []
    for broken in (
        {**body, "object_sequence": 0},
        {**body, "sequence": "1"},
        {**body, "secret": "whsec_"},
        {**body, "data": {**body["data"], "object": {**body["data"]["object"], "url": None}}},
        {name: value for name, value in body.items() if name != "actor"},
    ):
        assert faults(json.dumps(broken))
    assert faults(json.dumps({**body, "type": "nothing.known"})) == ["nothing.known is not in the catalogue"]


def test_a_pattern_without_example_is_told_by_name() -> None:
    with pytest.raises(examples.NoExample, match="give it"):
        examples.example(Annotated[str, msgspec.Meta(pattern="^zz[0-9]{9}$")])


def test_a_type_is_declared_once() -> None:
    with pytest.raises(AssertionError, match="declared twice"):
        event_type("webhook_endpoint.created", CATALOGUE["webhook_endpoint.created"].payload, "/", "again")


async def test_what_commands_emit_validates(world: Any, bench: Any) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        made = await commands.create_endpoint(tx, CreateWebhookEndpoint(url="http://127.0.0.1:9/hooks"))
        await commands.rotate_secret(tx, made.id, RotateSecret())
        await commands.pause_endpoint(tx, made.id)
        await commands.enable_endpoint(tx, made.id)
    row = await bench.row(firm.test, made)
    async with world.tx(firm.test) as tx:
        await commands.failing(tx, row["id"])
        await commands.recovered(tx, row["id"])
        await commands.give_up(tx, row["id"])
        await commands.delete_endpoint(tx, made.id, row["version"] + 3)
    async with world.tx(firm.test) as tx:
        bodies = await tx.fetch(select(event.c.type, event.c.body).where(event.c.tenant_id == TENANT))
    told = {row["type"] for row in bodies}
    assert {f"webhook_endpoint.{verb}" for verb in ("created", "paused", "disabled", "deleted", "failing")} <= told
    for row in bodies:
        assert faults(row["body"]) == [], row["type"]


PLANTED = """
from backoffice.kernel import clock, ids
from backoffice.platform.events import EventType
from tests.webhooks.bench import Told

async def test_it_passes(world):
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        for name in {names}:
            id_ = ids.encode("job", ids.new(clock.wall()))
            tx.emit(EventType(name, Told, "/v1/jobs/{{id}}", "planted"), Told(id=id_, number=1))
"""


@pytest.mark.kills
@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["job.told"], None),
        (["job.failed", "job.invented"], ["job.failed: ", "job.invented is not in the catalogue"]),
    ],
)
def test_an_event_that_is_not_what_its_schema_says_turns_the_run_red(
    tmp_path: Path, names: list[str], told: list[str] | None
) -> None:
    """A run of its own, of one test that passes: what it emitted decides."""
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED.format(names=names))
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(planted)]
    run = subprocess.run(
        [*argv, "--rootdir", str(tmp_path)], cwd=root, capture_output=True, text=True, check=False, timeout=100
    )
    assert (run.returncode == 0) == (told is None), run.stdout
    assert "1 passed" in run.stdout
    for line in told or []:
        assert line in run.stdout
