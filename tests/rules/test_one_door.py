"""One door for transactions, one for what leaves the house, no float in money, and the other rules that source can be
held to. Each rule is shown what it must see."""

from __future__ import annotations

import pytest
from tests.rules import source
from tests.rules.catalogue import allowed
from tests.rules.source import Module, Rule

from backoffice import api
from backoffice.accounts.roles import SCOPES
from backoffice.platform.web.routes import guard

ALLOWED = {(rule, path) for rule, path, _ in allowed("source", 2)}

PLANTED: dict[Rule, list[tuple[str, str]]] = {
    source.transactions: [
        ("payroll/commands/pay.py", "await connection.execute('COMMIT')"),
        ("payroll/commands/pay.py", "await connection.execute('BEGIN; SELECT 1')"),
        ("payroll/commands/pay.py", "await raw.execute(f\"SET LOCAL app.tenant_id='{other}'\")"),
        ("payroll/commands/pay.py", "await raw.execute('SET ROLE bo_owner')"),
        ("payroll/commands/pay.py", "await raw.execute('SET app.tenant_id = 1')"),
        ("payroll/commands/pay.py", "await raw.execute('SELECT 1; SET LOCAL app.actor = 1')"),
        ("payroll/commands/pay.py", "await raw.fetch(\"SELECT set_config('app.tenant_id', $1, true)\")"),
        ("payroll/commands/pay.py", "await raw.execute('ROLLBACK TO SAVEPOINT x')"),
        ("payroll/commands/pay.py", "async with connection.transaction(): ..."),
        ("platform/courier/lane.py", "RESET = 'RESET ALL'"),
    ],
    source.statements: [
        ("people/queries/records.py", "ROWS = 'SELECT * FROM app.worker WHERE tenant_id = $1'"),
        ("people/queries/records.py", "text('DELETE FROM app.worker')"),
        ("api.py", "await c.execute('NOTIFY bo_keys')"),
    ],
    source.composed_sql: [
        ("people/queries/records.py", "q = f'SELECT {columns} FROM app.worker'"),
        ("platform/web/lists.py", "q = 'SELECT * FROM app.worker ORDER BY ' + sort"),
        ("platform/web/lists.py", "q = 'SELECT * FROM %s' % table"),
        ("platform/web/lists.py", "q = 'SELECT * FROM {}'.format(table)"),
        ("platform/jobs/lease.py", "q = f'UPDATE app.job SET state = {state}'"),
    ],
    source.commits: [
        ("payroll/commands/pay.py", "await tx.connection.commit()"),
        ("payroll/commands/pay.py", "await db.commit(tx)"),
        ("staffing/http.py", "async with runtime.db.tx(principal) as tx: ..."),
        ("ledger/queries.py", "async with db.untenanted() as connection: ..."),
    ],
    source.outgoing: [
        ("payroll/bank_file.py", "import requests"),
        ("payroll/bank_file.py", "from urllib.request import urlopen"),
        ("payroll/bank_file.py", "import http.client"),
        ("platform/storage.py", "import aiohttp"),
        ("platform/pdf.py", "import socket"),
    ],
    source.sends: [
        ("payroll/jobs.py", "run.send(tenant_id, job_id)"),
        ("payroll/jobs.py", "actors.run.send_with_options(args=())"),
        ("platform/jobs/commands.py", "broker.enqueue(message)"),
    ],
    source.vendors: [
        ("payroll/queries/runs.py", "import asyncpg"),
        ("api.py", "from psycopg import connect"),
        ("people/jobs.py", "import dramatiq"),
        ("webhooks/commands/create.py", "from aiohttp import ClientSession"),
    ],
    source.floats: [
        ("payroll/calc/fica.py", "rate = 0.062"),
        ("payroll/calc/fica.py", "cents = float(text)"),
        ("ledger/calc.py", "def add(amount: float) -> int: ..."),
        ("payroll/calc/engine.py", "columns = rows.astype(np.float64)"),
        ("kernel/money.py", "half = 0.5"),
    ],
    source.clocks: [
        ("people/commands/workers.py", "at = datetime.now(UTC)"),
        ("people/commands/workers.py", "day = date.today()"),
        ("people/commands/workers.py", "day = datetime.date.today()"),
        ("staffing/queries.py", "seconds = time.time()"),
        ("staffing/queries.py", "from backoffice.kernel.clock import wall"),
        ("staffing/queries.py", "at = clock.wall()"),
    ],
    source.chance: [
        ("people/commands/workers.py", "from uuid import uuid4"),
        ("people/commands/workers.py", "import random"),
    ],
    source.modes: [
        ("payroll/commands/pay.py", "if tx.principal.tenant.livemode: pay()"),
        ("payroll/commands/pay.py", "x = 1 if facts.mode == 'test' else 2"),
    ],
    source.ceiling: [("payroll/everything.py", "x = 1\n" * 451)],
    source.unfinished: [
        ("payroll/states.py", "x = 1  # TODO: the rest"),
        ("payroll/states.py", "raise NotImplementedError"),
        ("payroll/states.py", "# FIXME"),
    ],
    source.names: [("payroll/utils.py", ""), ("people/helpers/names.py", ""), ("platform/base.py", "")],
    source.output: [
        ("payroll/commands/pay.py", "print(worker)"),
        ("payroll/commands/pay.py", "import logging"),
        ("platform/db.py", "from logging import getLogger"),
    ],
    source.handlers: [
        ("people/http.py", "from litestar import get"),
        ("people/http.py", "from litestar import Controller"),
        (
            "people/http.py",
            'from backoffice.platform.web.routes import get\n@get(\'/v1/x\')\nasync def x() -> None:\n    """X."""',
        ),
        (
            "people/http.py",
            "from backoffice.platform.web.routes import post\n@post('/v1/x', scope='x:write')\n"
            'async def x() -> None:\n    """X."""\n' + "    y = 1\n" * 12,
        ),
        (
            "people/http.py",
            "from backoffice.platform.web.routes import get\n@get('/v1/x', scope='x')\nasync def x() -> None: ...",
        ),
    ],
}


@pytest.fixture(scope="module")
def everything() -> list[Module]:
    found = source.modules()
    assert len(found) > 100
    return found


@pytest.mark.parametrize("rule", source.RULES, ids=lambda rule: rule.__name__)
def test_rule(everything: list[Module], rule: Rule) -> None:
    found = [
        f"{module.path}: {finding}"
        for module in everything
        if (rule.__name__, module.path) not in ALLOWED
        for finding in rule(module)
    ]
    assert found == []


def test_what_is_allowed_is_still_needed(everything: list[Module]) -> None:
    rules, modules = {rule.__name__: rule for rule in source.RULES}, {module.path: module for module in everything}
    idle = [
        (rule, path) for rule, path in ALLOWED if path not in modules or next(rules[rule](modules[path]), None) is None
    ]
    assert sorted(idle) == []


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [(rule, path, text) for rule, cases in PLANTED.items() for path, text in cases],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_planted_violation_is_seen(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text))) != []


def test_every_rule_is_shown_something() -> None:
    assert set(PLANTED) == set(source.RULES)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (source.transactions, "payroll/events.py", '"""BEGIN with the end."""\nx = "Set the table"'),
        (source.transactions, "ledger/http.py", "await queries.transaction(tx, id_)"),
        (source.statements, "payroll/errors.py", 'x = "Select a pay schedule, then update the run."'),
        (source.composed_sql, "payroll/errors.py", 'x = f"Update {count} workers"'),
        (source.floats, "platform/courier/lane.py", "pause = 0.25"),
        (source.clocks, "people/commands/workers.py", "at = await tx.now()"),
        (source.modes, "people/queries/records.py", "view(livemode=tx.principal.tenant.livemode)"),
    ],
)
def test_a_harmless_line_is_let_through(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text))) == []


def test_every_operation_has_a_known_scope_and_the_guard() -> None:
    """The guard settles scope, parameters and keys before a handler runs; a route without it is open to every key."""
    known = SCOPES | {"downloads:open"}
    assert len(api.HANDLERS) > 80
    for handler in api.HANDLERS:
        assert handler.opt.get("scope") in known, handler
        assert guard in (handler.guards or ()), handler
