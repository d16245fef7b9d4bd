"""Foreign is absent: how a cell of the identity matrix is asked, and what must be the same in two answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import psycopg
from psycopg import sql
from tests.contract.maker import MAKER, Ask, Maker, send
from tests.contract.snapshot import changed, snapshot

from backoffice import models
from backoffice.accounts.roles import SCOPES
from backoffice.kernel import ids
from backoffice.kernel.clock import wall
from backoffice.platform.tables import METADATA

ID = re.compile(r"\b([a-z]{2,8})_([0-7][0-9a-hjkmnp-tv-z]{25})\b")
_KINDS = {prefix: kind for kind, prefix in ids.PREFIXES.items()}
models.load()
NAMEABLE = {
    ids.PREFIXES[table.name]
    for table in METADATA.sorted_tables
    if "external_id" in table.c and table.name in ids.PREFIXES
} - {"key", "clk", "doc", "acct", "per", "pchk", "pay", "sched"}  # no request gives these a name


def ids_in(ask: Ask) -> list[str]:
    """The ids that a request names: in its path, its query and its body, each once, in order."""
    found = [match[0] for text in (ask.path, *ask.query.values(), json.dumps(ask.body)) for match in ID.finditer(text)]
    return list(dict.fromkeys(found))


def random_like(id_: str) -> str:
    """An id of the same kind, of nobody's."""
    return ids.encode(_KINDS[id_.partition("_")[0]], ids.new(wall()))


def exchanged(ask: Ask, ids_: dict[str, str]) -> Ask:
    """The same request about other objects."""

    def told(text: str) -> str:
        for old, new in ids_.items():
            text = text.replace(old, new)
        return text

    return replace(
        ask,
        path=told(ask.path),
        query={name: told(value) for name, value in ask.query.items()},
        body=json.loads(told(json.dumps(ask.body))),
    )


def by_name(ask: Ask, external: dict[str, str]) -> Iterator[tuple[Ask, Ask]]:
    """The same request with an object named by its `ext:` name, beside one with a name that nobody gave: in the path,
    and in the fields of the body that take names."""
    for id_ in ids_in(ask):
        if id_ in external:
            name = external[id_]
            yield exchanged(ask, {id_: f"ext:{name}"}), exchanged(ask, {id_: f"ext:{name}-nobody"})


def unnamed(maker: Maker, ask: Ask) -> list[str]:
    """The ids of a request whose objects could have an `ext:` name and have none."""
    return [id_ for id_ in ids_in(ask) if id_.partition("_")[0] in NAMEABLE and id_ not in maker.external]


def masked(answer: httpx.Response, ask: Ask) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """Status, body and telling headers, without what differs by nature: request id, instance, time, size, and the
    caller's own text where it is told back."""
    body = answer.content
    for name in ("request_id", "instance"):
        body = re.sub(rb'"%s":"(?:[^"\\]|\\.)*"' % name.encode(), b'"%s":"-"' % name.encode(), body)
    body = re.sub(rb"ext:[A-Za-z0-9-]+", b"<id>", ID.sub(r"<\1>", body.decode()).encode())
    told = tuple(
        (name, value)
        for name, value in sorted(answer.headers.items())
        if name not in ("request-id", "ratelimit", "content-length", "date")
    )
    return answer.status_code, body, told


def leaks(answer: httpx.Response, owner: Maker, ask: Ask) -> list[str]:
    """What of the owner's stands in an answer to somebody else, and did not stand in the request."""
    named = {number(match[0]) for match in ID.finditer(answer.text)} - {number(each) for each in ids_in(ask)}
    told = [str(owner.tenant.facts.id)] if str(owner.tenant.facts.id) in answer.text else []
    return told + [str(each) for each in named & objects_of(owner)]


def number(id_: str) -> UUID:
    """The UUID of an id of any kind."""
    found = ids.decode(_KINDS[id_.partition("_")[0]], id_)
    assert found is not None, id_
    return found


def objects_of(maker: Maker) -> set[UUID]:
    """The ids of every object of a tenant, from the tables themselves, and its own."""
    with psycopg.connect(maker.admin_dsn) as admin:
        tables = admin.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'"
            " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r'"
        ).fetchall()
        whole = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT id FROM {} WHERE tenant_id = {}").format(
                sql.Identifier("app", name), sql.Literal(maker.tenant.facts.id)
            )
            for (name,) in tables
        )
        return {id_ for (id_,) in admin.execute(whole)} | {maker.tenant.facts.id}


# ---------------------------------------------------------------------------------------------------------- cells


async def foreign_is_absent(owner: Maker, stranger: Maker, ask: Ask) -> list[str]:
    """What is wrong with the answers to a stranger who asks about an object of the owner's."""
    found = ids_in(ask)
    pairs = [(ask, exchanged(ask, {id_: random_like(id_) for id_ in found}))] if found else []
    wrong = []
    for theirs, nobodys in [*pairs, *by_name(ask, owner.external)]:
        foreign, random = await send(stranger.http, theirs), await send(stranger.http, nobodys)
        wrong += [f"tells {each} of the owner's: {theirs.path}" for each in leaks(foreign, owner, theirs)]
        if masked(foreign, theirs) != masked(random, nobodys):
            wrong.append(
                f"{theirs.path}: {foreign.status_code} {foreign.text} is not {random.status_code} {random.text}"
            )
        in_path = ID.search(ask.path) is not None
        if foreign.status_code not in ((404,) if in_path else (404, 422)):
            wrong.append(f"{theirs.path}: {foreign.status_code} {foreign.text}")
    if not found:
        answer = await send(stranger.http, ask)
        wrong += [f"tells {each} of the owner's: {ask.path}" for each in leaks(answer, owner, ask)]
        if answer.status_code >= 300 and answer.status_code not in (404, 409, 422):
            wrong.append(f"{ask.path}: {answer.status_code} {answer.text}")
    return wrong


async def a_key_is_asked_for(owner: Maker, keys: dict[str, str], ask: Ask) -> list[str]:
    """What is wrong with the answers to keys that open nothing, by why they do not."""
    answers = {}
    for why, key in keys.items():
        async with owner.world.client(key or None, app=owner.app) as http:
            answers[why] = await send(http, ask)
    wrong = [f"{why}: {each.status_code} {each.text}" for why, each in answers.items() if each.status_code != 401]
    if len({masked(each, ask) for each in answers.values()}) != 1:
        wrong.append(f"answers differ: { {why: each.text for why, each in answers.items()} }")
    return wrong


async def key_without(owner: Maker, scope: str) -> str:
    """A key of the owner's with every scope but one; made once."""
    return await owner.once(f"without {scope}", lambda: owner.world.key(owner.tenant, MAKER, scopes=SCOPES - {scope}))


async def scope_is_asked_for(owner: Maker, app: Any, ask: Ask, scope: str) -> list[str]:
    """What is wrong with the answer to a key of the owner's that has every scope but the one."""
    key = await key_without(owner, scope)
    before = snapshot(owner.admin_dsn, owner.tenant.facts.id)
    async with owner.world.client(key, app=app) as narrow:
        answer = await send(narrow, ask)
    touched = changed(before, snapshot(owner.admin_dsn, owner.tenant.facts.id))
    wrong = [f"wrote to {table}" for table in touched if table != "audit_event"]
    if answer.status_code != 403 or (answer.json()["code"], answer.json()["scope"]) != ("scope_missing", scope):
        wrong.append(f"{ask.method} {ask.path}: {answer.status_code} {answer.text}")
    elif "audit_event" not in touched:
        wrong.append("the refusal is not written down")
    return wrong
