"""`backoffice keys …`: API keys, made on the machine itself, for the first key of a person."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from backoffice.terminal.refusals import tells

NAME_LENGTH = 200
TENANT_HELP = "the tenant as firm/name, such as northwind-staffing/test"


@click.group()
def keys() -> None:
    """API keys: make one for a person, list them, end one. (With a key in hand: `backoffice api-keys`.)"""


@keys.command()
@click.option("--tenant", required=True, metavar="FIRM/NAME", help=TENANT_HELP)
@click.option("--person", required=True, help="whose key it is: the name in tenant.toml, such as dana-whitfield")
@click.option("--scopes", help="what it may do, with commas; by default, and at most, what the person's roles may")
@click.option("--name", default="made on the command line", show_default=True, help="what it is for")
@click.option("--expires-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="such as 2027-01-31T00:00:00-0500")
@tells
def create(tenant: str, person: str, scopes: str | None, name: str, expires_at: datetime | None) -> None:
    """Make a key and show it, once: it is kept nowhere and cannot be shown again."""
    from backoffice.accounts import commands, queries
    from backoffice.accounts.roles import SCOPES, scopes_of
    from backoffice.kernel import ids
    from backoffice.kernel.clock import wall
    from backoffice.platform.principal import Principal
    from backoffice.terminal.operating import Operator, operate
    from backoffice.terminal.refusals import Refused

    wanted = None if scopes is None else frozenset(scope.strip() for scope in scopes.split(","))
    if wanted is not None and (unknown := sorted(wanted - SCOPES)):
        raise Refused(f"There is no scope {', '.join(map(repr, unknown))}; known are: {', '.join(sorted(SCOPES))}.")
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Refused(f"The name of a key has 1 to {NAME_LENGTH} characters.")
    if expires_at is not None and expires_at <= wall():
        raise Refused(f"{expires_at} has passed: such a key would never open anything.")

    async def act(operator: Operator) -> Any:
        facts = await operator.tenant(tenant)
        async with operator.runtime.tx(Principal.system(facts, "keys_create")) as tx:
            person_id = await queries.person_named(tx, person)
            if person_id is None:
                raise Refused(f"{tenant} has no person {person!r}: see [people.…] in its tenant.toml.")
            roles = (await queries.person(tx, ids.encode("person", person_id))).roles
            if beyond := sorted((wanted or frozenset()) - scopes_of(roles)):
                raise Refused(f"{person} may not {', '.join(beyond)}: see the roles in its tenant.toml.")
            return await commands.issue_key(
                tx,
                person_id,
                operator.runtime.peppers,
                name=name,
                kind="sk" if wanted is None else "rk",
                scopes=wanted,
                expires_at=expires_at,
            )

    made = operate(act)
    click.echo(f"{made.id}  {person}, {tenant}, {len(made.scopes)} scopes. Shown once:", err=True)
    click.echo(made.secret)


@keys.command(name="list")
@click.option("--tenant", required=True, metavar="FIRM/NAME", help=TENANT_HELP)
@tells
def list_keys(tenant: str) -> None:
    """The keys of a tenant, without their secrets."""
    from backoffice.accounts import queries
    from backoffice.platform.principal import Principal
    from backoffice.platform.web.lists import parse
    from backoffice.terminal.operating import Operator, operate
    from backoffice.terminal.shown import show

    async def act(operator: Operator) -> list[Any]:
        facts = await operator.tenant(tenant)
        found: list[Any] = []
        cursor: list[tuple[str, str]] = []
        async with operator.runtime.tx(Principal.system(facts, "keys_list"), read_only=True) as tx:
            while True:
                asked = parse(queries.API_KEYS, [("limit", "100"), *cursor], path="/v1/api_keys", tenant=tx.tenant)
                page = await queries.api_keys(tx, asked)
                found += page.data
                if page.next_cursor is None:
                    return found
                cursor = [("cursor", page.next_cursor)]

    show({"object": "list", "data": operate(act), "has_more": False})


@keys.command()
@click.argument("key")
@click.option("--tenant", required=True, metavar="FIRM/NAME", help=TENANT_HELP)
@click.option("--keep-days", default=0, type=click.IntRange(0, 7), help="how long it still opens; 0 ends it at once")
@tells
def revoke(key: str, tenant: str, keep_days: int) -> None:
    """End a key (key_…)."""
    from backoffice.accounts import commands, queries
    from backoffice.accounts.schemas import RevokeApiKey
    from backoffice.kernel.errors import Problem
    from backoffice.platform.principal import Principal
    from backoffice.terminal.operating import Operator, operate

    async def act(operator: Operator) -> Any:
        facts = await operator.tenant(tenant)
        async with operator.runtime.tx(Principal.system(facts, "keys_revoke")) as tx:
            version = (await queries.api_key(tx, key)).version
            return await commands.revoke_api_key(tx, key, RevokeApiKey(keep_days=keep_days), version)

    try:
        ended = operate(act)
    except Problem as problem:
        if problem.status >= 500:
            raise
        click.echo(f"backoffice: {problem.detail}", err=True)
        sys.exit(1)
    click.echo(f"{ended.id} ends at {ended.revoked_at:%Y-%m-%d %H:%M:%S} UTC")
