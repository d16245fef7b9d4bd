"""Every operation of the generated document, asked by everybody who may not: another firm, the other mode of the same
firm, nobody, a wrong, a revoked and an expired key, a key without the scope. A foreign object is absent, byte for byte,
and the owner's tenant is as it was. An operation without a recipe fails here.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.contract import identity
from tests.contract.fixtures import Strangers
from tests.contract.maker import MAKER, Ask, Maker, send
from tests.contract.planted import nothing, remembering
from tests.contract.recipes import KEYLESS, ONCE, RECIPES, operations
from tests.contract.snapshot import changed, snapshot

from backoffice import api
from backoffice.platform.web.routes import get, post

OPERATIONS = operations(api.HANDLERS)
NAMES = sorted(set(OPERATIONS) - KEYLESS)


def test_every_operation_has_a_recipe() -> None:
    """Without one nobody knows whether the operation keeps tenants apart."""
    assert set(OPERATIONS) - set(RECIPES) == set()


def test_no_recipe_is_left_over() -> None:
    assert set(RECIPES) - set(OPERATIONS) == set()


@pytest.mark.parametrize("name", NAMES)
async def test_operation(strangers: Strangers, keys: dict[str, str], name: str) -> None:
    """One row of the matrix, about a fresh object of the owner's. As another firm and as the other mode of the same
    firm: what is the owner's and what is nobody's are the same answer, by id and by `ext:` name. With keys that open
    nothing: one answer, the same for all. With every scope but the one: 403. Nothing of the owner's is told or touched,
    and the owner's own request is a good one."""
    owner = strangers.owner
    ask = await RECIPES[name](owner)
    assert identity.unnamed(owner, ask) == [], "what may have a name is asked for by it as well"
    scope = OPERATIONS[name]["x-scope"]
    before = snapshot(owner.admin_dsn, owner.tenant.facts.id)
    found = {
        "other firm": await identity.foreign_is_absent(owner, strangers.other_firm, ask),
        "other mode": await identity.foreign_is_absent(owner, strangers.other_mode, ask),
        "no good key": await identity.a_key_is_asked_for(owner, keys, ask),
        "narrower scope": await identity.scope_is_asked_for(owner, owner.app, ask, scope),
    }
    assert {cell: wrong for cell, wrong in found.items() if wrong} == {}
    touched = changed(before, snapshot(owner.admin_dsn, owner.tenant.facts.id))
    assert touched == ["audit_event"], "the refused scope is written down, and nothing else"
    if name not in ONCE:
        answer = await owner.ask(ask)
        assert answer.status_code < 300, answer.text


@pytest.mark.parametrize("name", [name for name in NAMES if OPERATIONS[name]["method"] != "GET"])
async def test_one_foreign_id_in_a_request_of_one_s_own(strangers: Strangers, name: str) -> None:
    """A request that is right in everything, but names one object of another tenant: as if it named nobody's."""
    owner, stranger = strangers.owner, strangers.other_firm
    ours, theirs = await RECIPES[name](owner), await RECIPES[name](stranger)
    own, foreign = identity.ids_in(theirs), identity.ids_in(ours)
    assert len(own) == len(foreign)
    before = snapshot(owner.admin_dsn, owner.tenant.facts.id)
    for place, id_ in enumerate(own):
        asks = [identity.exchanged(theirs, {id_: each}) for each in (foreign[place], identity.random_like(id_))]
        answers = [await send(stranger.people[ask.by], ask) for ask in asks]
        assert identity.masked(answers[0], asks[0]) == identity.masked(answers[1], asks[1]), answers[0].text
        assert answers[0].status_code in (404, 422), answers[0].text
        assert foreign[place] not in answers[0].text.replace(asks[0].path, "")
    assert changed(before, snapshot(owner.admin_dsn, owner.tenant.facts.id)) == []


@pytest.fixture(scope="module")
def keys(strangers: Strangers, loop: Any) -> dict[str, str]:
    """Keys that open nothing, by why."""
    owner = strangers.owner

    async def made() -> dict[str, str]:
        for scope in sorted({each["x-scope"] for each in OPERATIONS.values()}):
            await identity.key_without(owner, scope)
        revoked = await owner.post("/v1/api_keys", {"name": "revoked", "kind": "sk"})
        await owner.post(f"/v1/api_keys/{revoked['id']}/revoke", {}, if_match=1)
        expired = await owner.post("/v1/api_keys", {"name": "expired", "kind": "sk"})
        with psycopg.connect(owner.admin_dsn) as admin:
            admin.execute(
                "UPDATE ctl.credential SET not_after = clock_timestamp() - interval '1 second' WHERE key_id = %s",
                (identity.number(expired["id"]),),
            )
        good = owner.keys[MAKER]
        return {
            "none": "",
            "bad checksum": good[:-1] + ("0" if good[-1] != "0" else "1"),
            "other mode": good.replace("_test_", "_live_"),
            "nobody's": "bo_sk_test_EXAMPLEonlyEXAMPLEonlyEXAMPLE01YEiuC",
            "revoked": revoked["secret"],
            "expired": expired["secret"],
        }

    found: dict[str, str] = loop.run_until_complete(made())
    return found


# -------------------------------------------------------------------------------------------------------- by name


async def test_the_same_external_id_in_two_tenants_is_two_objects(strangers: Strangers) -> None:
    """No unique crosses tenants, so the answer to one tells nothing of the other."""
    body = {"external_id": "same-name", "name": "Niagara", "address": {"line1": "1 Way", "city": "Buffalo",
            "state": "NY", "postal_code": "14203"}}  # fmt: skip
    made = [
        await each.post("/v1/clients", body) for each in (strangers.owner, strangers.other_firm, strangers.other_mode)
    ]
    assert len({each["id"] for each in made}) == 3
    for maker, client in zip((strangers.owner, strangers.other_firm, strangers.other_mode), made, strict=True):
        assert (await maker.get("/v1/clients/ext:same-name"))["id"] == client["id"]


async def test_a_filter_by_a_foreign_id_is_an_empty_list(strangers: Strangers) -> None:
    assignment = await strangers.owner.assignment()
    for stranger in (strangers.other_firm, strangers.other_mode):
        for id_ in (assignment["worker_id"], identity.random_like(assignment["worker_id"])):
            answer = await stranger.http.get("/v1/assignments", params={"worker_id": id_, "include": "total_count"})
            assert (answer.json()["data"], answer.json()["total_count"]) == ([], 0)


# --------------------------------------------------------------------------------------------------------- planted


def test_an_operation_without_a_recipe_is_found() -> None:
    planted = get("/v1/planted", scope="workers:read")(nothing)
    assert set(operations([*api.HANDLERS, planted])) - set(RECIPES) == {"nothing"}


async def test_a_missing_guard_turns_the_matrix_red(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation whose guard was taken off answers a key that lacks the scope."""
    planted: Any = post("/v1/planted", scope="workers:write", keyed="none")(nothing)
    monkeypatch.setattr(api, "HANDLERS", [*api.HANDLERS, planted])
    ask = Ask("POST", "/v1/planted")
    app = strangers.owner.world.application()
    assert await identity.scope_is_asked_for(strangers.owner, app, ask, "workers:write") == []
    planted.guards = None
    app = strangers.owner.world.application()
    assert await identity.scope_is_asked_for(strangers.owner, app, ask, "workers:write") != []


async def test_a_cache_that_forgets_the_tenant_turns_the_matrix_red(
    strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row-level security and the queries are whole, but the process remembers an object by its id alone."""
    planted = get("/v1/planted/{client_id:str}", scope="clients:read")(remembering())
    monkeypatch.setattr(api, "HANDLERS", [*api.HANDLERS, planted])
    owner = strangers.owner
    app = owner.world.application()
    client = await owner.client()
    ask = Ask("GET", f"/v1/planted/{client['id']}")
    async with owner.world.client(owner.keys[MAKER], app=app) as http:
        stranger = Maker(owner.world, strangers.other_firm.tenant, app, owner.admin_dsn)
        stranger.people = {MAKER: owner.world.client(strangers.other_firm.keys[MAKER], app=app)}
        assert await identity.foreign_is_absent(owner, stranger, ask) == []
        assert (await send(http, ask)).status_code == 200
        assert await identity.foreign_is_absent(owner, stranger, ask) != []
        await stranger.close()
