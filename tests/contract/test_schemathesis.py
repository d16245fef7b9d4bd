"""Thousands of generated requests on the served application: what the document says is what happens, whatever is sent;
nothing answers without a key, and no firm is given what another has.

With fixed seeds: 2,000 requests of walks from what one answer names to the next request, every rule of every parameter
and body of some operations, random requests to all operations."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.fixtures import Strangers
from tests.contract.fuzz import THEIRS, Found, Fuzzer
from tests.contract.planted import remembering
from tests.contract.recipes import operations
from tests.contract.served import served
from tests.scale import at_scale
from tests.world import Server

from backoffice import api
from backoffice.platform.web.routes import get

pytestmark = pytest.mark.large

SEED = 20261121
WALKED = at_scale(2_000, 10_000)
SAMPLE = at_scale(20, 1_000)  # operations of which every rule is tried
EXAMPLES = at_scale(8, 100)  # random requests of each kind to each operation
NAMES = sorted(operations(api.HANDLERS))


@pytest.fixture(scope="module")
def fuzzer(server: Server, filled: Strangers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    with served(server.settings) as address:
        yield Fuzzer.of(address, filled.owner, filled.other_firm, tmp_path_factory.mktemp("peers"))


@pytest.fixture(scope="module")
def filled(strangers: Strangers, loop: asyncio.AbstractEventLoop) -> Strangers:
    """Two firms with something of everything: a walk begins at lists, and an empty one leads nowhere."""

    async def fill() -> None:
        for maker in (strangers.owner, strangers.other_firm):
            await maker.paid_run()
            await maker.delivery()
            await maker.finished_bulk_job()
            await maker.opening_balance()
            await maker.tax_election()

    loop.run_until_complete(fill())
    return strangers


def test_walks_from_answer_to_request(fuzzer: Fuzzer) -> None:
    found = Found()
    for number in range(WALKED // 100):
        fuzzer.run("stateful", found, seed=SEED + number, examples=30, names=NAMES, mode="positive")
        if found.sent >= WALKED:
            break
    assert found.wrong == {}
    assert found.sent >= WALKED
    assert found.followed > WALKED / 5
    assert {status // 100 for status in found.statuses} == {2, 4}
    assert len(found.succeeded) > 25
    assert found.senders["nobody"] > 25  # asked again without a key
    assert found.senders[THEIRS] > 10  # asked again as the other firm
    assert set(found.checked) >= {"ignored_auth", "object_level_authorization", "response_schema_conformance"}


def test_every_rule_of_some_operations(fuzzer: Fuzzer) -> None:
    chosen = sorted(random.Random(SEED).sample(NAMES, min(SAMPLE, len(NAMES))))
    found = fuzzer.run("coverage", Found(), seed=SEED, examples=1, names=chosen)
    assert found.wrong == {}
    assert found.sent > 40 * len(chosen)


def test_random_requests_to_every_operation(fuzzer: Fuzzer) -> None:
    found = fuzzer.run("fuzzing", Found(), seed=SEED, examples=EXAMPLES, names=NAMES)
    assert found.wrong == {}
    assert found.sent > EXAMPLES * len(NAMES)
    assert {status // 100 for status in found.statuses} == {2, 4}


# --------------------------------------------------------------------------------------------------------- planted


def test_a_memory_that_forgets_the_tenant_is_seen(
    server: Server, filled: Strangers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation that remembers an object by its id alone gives it to the other firm."""
    card = get("/v1/clients/{client_id:str}/card", scope="clients:read")(remembering())
    monkeypatch.setattr(api, "HANDLERS", [*api.HANDLERS, card])
    with served(server.settings) as address:
        fuzzer = Fuzzer.of(address, filled.owner, filled.other_firm, tmp_path)
        names = ["listClients", "getClient", "card"]
        found = fuzzer.run("stateful", Found(), seed=SEED, examples=15, names=names, mode="positive")
    assert [each for each in found.wrong if "object_level_authorization" in each]
    assert {each.split(":")[0] for each in found.wrong} == {"GET /v1/clients/{client_id}/card"}
