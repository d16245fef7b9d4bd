"""House rules read from the source itself (architecture, tenancy and security §4 and §11).

A rule takes one module (its path below `src/backoffice`, its syntax tree, its text) and yields findings. What may break
one stands in `allow_source.txt`, with the reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "backoffice"
DOMAINS = ("accounts", "ledger", "documents", "people", "staffing", "payroll", "webhooks", "sandbox")
CEILING = 450


@dataclass(frozen=True)
class Module:
    """`path` is as in `payroll/commands/pay.py`."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, walked once for all rules."""
        return list(ast.walk(self.tree))

    @property
    def package(self) -> str:
        return self.path.split("/", maxsplit=1)[0].removesuffix(".py")

    @property
    def in_domain(self) -> bool:
        return self.package in DOMAINS


Rule = Callable[[Module], Iterator[str]]


def modules() -> list[Module]:
    """Every module of the product."""
    return [
        Module(str(path.relative_to(PACKAGE)), path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def _at(node: ast.AST) -> str:
    return f"line {getattr(node, 'lineno', 0)}"


def _docstrings(nodes: list[ast.AST]) -> set[int]:
    """The ids of constants that are docstrings or bare strings, which run nothing."""
    return {id(node.value) for node in nodes if isinstance(node, ast.Expr)}


def _texts(nodes: list[ast.AST]) -> Iterator[tuple[ast.AST, str]]:
    """Every text that is used: constants, and the fixed parts of composed ones."""
    idle = _docstrings(nodes)
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in idle:
            yield node, node.value


def _name(node: ast.AST) -> str:
    """`a.b.c` of a chain of names; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _name(node.value)
        return f"{inner}.{node.attr}" if inner else f".{node.attr}"
    return ""


def _calls(nodes: list[ast.AST]) -> Iterator[tuple[ast.Call, str]]:
    for node in nodes:
        if isinstance(node, ast.Call):
            yield node, _name(node.func)


def _imports(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield from ((node, f"{node.module}.{each.name}") for each in node.names)


# ------------------------------------------------------------------------------------------------- the one door

_TRANSACTION = re.compile(
    r"^\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE SAVEPOINT|START TRANSACTION|PREPARE TRANSACTION|ABORT)\b|"
    r"^\s*SET (LOCAL |SESSION |ROLE|TRANSACTION|CONSTRAINTS|[a-z_.]+\s*(=|TO\b))|^\s*RESET [A-Za-z]|"
    r"set_config\s*\(|;\s*(COMMIT|ROLLBACK|SET LOCAL)\b"
)
_OPENS = re.compile(r"\b(connection|conn|admin|inside|engine|session|raw|db|pool)\.(transaction|begin|begin_nested)$")
_STATEMENT = re.compile(
    r"^\s*(SELECT|INSERT INTO|UPDATE [a-z]|DELETE FROM|WITH [a-z_]+ AS|MERGE INTO|TRUNCATE|LOCK TABLE|COPY [a-z]|"
    r"CREATE (TABLE|INDEX|UNIQUE|FUNCTION|POLICY|ROLE|SCHEMA|DATABASE)|ALTER (TABLE|ROLE|DATABASE)|DROP [A-Z]+|"
    r"GRANT |REVOKE |NOTIFY |LISTEN |EXPLAIN )"
)


def transactions(module: Module) -> Iterator[str]:
    """BEGIN, COMMIT, ROLLBACK, SET and set_config stand in platform/db.py, SAVEPOINT in platform/tx.py."""
    for node, text in _texts(module.nodes):
        if _TRANSACTION.search(text):
            yield f"{_at(node)}: {text.strip()[:40]!r} opens, ends or sets up a transaction"
    for call, name in _calls(module.nodes):
        if re.search(
            r"\b(connection|conn|admin|inside|engine|session|raw|db|pool)\.(transaction|begin|begin_nested)$", name
        ):
            yield f"{_at(call)}: {name}() opens a transaction"


def statements(module: Module) -> Iterator[str]:
    """A statement written as text stands in platform; elsewhere statements are SQLAlchemy Core."""
    if module.package in ("platform", "migrations"):
        return
    for node, text in _texts(module.nodes):
        if _STATEMENT.match(text):
            yield f"{_at(node)}: a statement as text: {text.strip()[:40]!r}"


def composed_sql(module: Module) -> Iterator[str]:
    """No statement is put together from pieces."""
    for node in module.nodes:
        first: ast.AST | None = None
        if isinstance(node, ast.JoinedStr) and node.values and any(
            isinstance(part, ast.FormattedValue) for part in node.values
        ):  # fmt: skip
            first = node.values[0]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            first = node.left
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in (
            "format",
            "replace",
            "join",
        ):  # fmt: skip
            first = node.func.value
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        if _STATEMENT.match(text) or _TRANSACTION.match(text):
            yield f"{_at(node)}: a statement put together: {text.strip()[:40]!r}"


def commits(module: Module) -> Iterator[str]:
    """Commands never commit, and never open a transaction of their own: whoever asked them does."""
    if not module.in_domain:
        return
    for call, name in _calls(module.nodes):
        if name.endswith((".commit", ".rollback", "db.tx", ".untenanted", ".autocommit")):
            yield f"{_at(call)}: {name}()"


# ----------------------------------------------------------------------------------------- what leaves the house

_CLIENTS = (
    "socket",
    "aiohttp",
    "aiodns",
    "aiohappyeyeballs",
    "httpx",
    "requests",
    "urllib.request",
    "urllib3",
    "http.client",
    "websockets",
    "ftplib",
    "smtplib",
)


def outgoing(module: Module) -> Iterator[str]:
    """HTTP goes out through platform/http.py, platform/courier and platform/stripe, which guard the address."""
    for node, name in _imports(module.tree):
        if any(name == client or name.startswith(f"{client}.") for client in _CLIENTS):
            yield f"{_at(node)}: imports {name}"


def sends(module: Module) -> Iterator[str]:
    """Nothing sends to the queue but the dispatcher: a job is a row."""
    for call, name in _calls(module.nodes):
        if re.search(r"\.(send|send_with_options|enqueue|publish|basic_publish)$", name):
            yield f"{_at(call)}: {name}()"


def vendors(module: Module) -> Iterator[str]:
    """Drivers, the queue and vendors are imported by platform alone."""
    if module.package == "platform":
        return
    for node, name in _imports(module.tree):
        if name.split(".")[0] in ("asyncpg", "psycopg", "aiohttp", "dramatiq", "pika", "stripe", "obstore", "pglast"):
            yield f"{_at(node)}: imports {name}"


# ------------------------------------------------------------------------------------------------ money and time


def floats(module: Module) -> Iterator[str]:
    """No float in a module that may hold money: domains, and kernel/money, dates and csv_rows."""
    if not (module.in_domain or module.package == "kernel"):
        return
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{_at(node)}: {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"{_at(node)}: float"
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"float(16|32|64|128)?|double|true_divide", node.attr):
            yield f"{_at(node)}: {node.attr}"


_CLOCKS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.localtime", ".now_utc")


def clocks(module: Module) -> Iterator[str]:
    """A domain asks the tenant's clock (`await tx.now()`) and no other."""
    if module.package in ("platform", "kernel", "api", "local", "demo", "terminal"):
        return
    for call, name in _calls(module.nodes):
        if any(name == clock or name.endswith(f".{clock}") for clock in _CLOCKS) or name.endswith("clock.wall"):
            yield f"{_at(call)}: {name}()"
    for node, name in _imports(module.tree):
        if name in ("time.time", "backoffice.kernel.clock.wall"):
            yield f"{_at(node)}: imports {name}"


def chance(module: Module) -> Iterator[str]:
    """Ids come from `tx.new_id()`, so that a fixture seed gives the same ones; chance has no place in a domain."""
    if not module.in_domain:
        return
    for node, name in _imports(module.tree):
        if name.split(".")[0] == "random" or name in ("uuid.uuid4", "uuid.uuid7", "uuid.uuid1"):
            yield f"{_at(node)}: imports {name}"


def modes(module: Module) -> Iterator[str]:
    """Test and live run the same code: no domain asks which of them it is."""
    if not module.in_domain:
        return
    for node in module.nodes:
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            for inside in ast.walk(node.test):
                if isinstance(inside, ast.Attribute) and inside.attr in ("livemode", "mode"):
                    yield f"{_at(node)}: decides by {_name(inside)}"


# ------------------------------------------------------------------------------------------------- form and shape


def ceiling(module: Module) -> Iterator[str]:
    """A module past this is a package, one file a verb."""
    lines = module.text.count("\n")
    if lines > CEILING:
        yield f"has {lines} lines, more than {CEILING}"


def unfinished(module: Module) -> Iterator[str]:
    """No TODO, no stub, no NotImplementedError."""
    for number, line in enumerate(module.text.splitlines(), start=1):
        if re.search(r"#.*\b(TODO|FIXME|XXX|HACK)\b", line):
            yield f"line {number}: {line.strip()[:60]}"
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield f"{_at(node)}: NotImplementedError"


def names(module: Module) -> Iterator[str]:
    """No module is called utils, helpers, common, manager or base."""
    for part in module.path.removesuffix(".py").split("/"):
        if part in ("utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"):
            yield f"is called {part}"


def output(module: Module) -> Iterator[str]:
    """What is said goes through platform/logs, which knows what may be said; a terminal is the command line's."""
    if module.package in ("terminal", "demo", "cli", "local"):
        return
    for call, name in _calls(module.nodes):
        if name in ("print", "pprint", "sys.stderr.write", "sys.stdout.write", "traceback.print_exc"):
            yield f"{_at(call)}: {name}()"
    for node, name in _imports(module.tree):
        if name.split(".")[0] == "logging":
            yield f"{_at(node)}: imports {name}"


_VERBS = ("get", "post", "patch", "delete", "put", "head", "route")


def handlers(module: Module) -> Iterator[str]:
    """A route is declared through platform/web/routes, with a scope, and its handler has at most ten lines."""
    ours = set()
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "litestar":
            for each in node.names:
                if each.name in _VERBS or each.name in ("Controller", "Router"):
                    yield f"{_at(node)}: takes {each.name} from litestar, which asks for no scope"
        if isinstance(node, ast.ImportFrom) and node.module == "backoffice.platform.web.routes":
            ours |= {each.asname or each.name for each in node.names if each.name in _VERBS}
    for node in module.nodes:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _name(decorator.func) in ours:
                    if not any(each.arg == "scope" for each in decorator.keywords):
                        yield f"{_at(node)}: {node.name} has no scope"
                    if (node.end_lineno or 0) - node.body[0].lineno > 10:
                        yield f"{_at(node)}: {node.name} has more than ten lines"
                    if ast.get_docstring(node) is None:
                        yield f"{_at(node)}: {node.name} says nothing of itself"


RULES: tuple[Rule, ...] = (
    transactions,
    statements,
    composed_sql,
    commits,
    outgoing,
    sends,
    vendors,
    floats,
    clocks,
    chance,
    modes,
    ceiling,
    unfinished,
    names,
    output,
    handlers,
)
