"""The API's operations as commands: words and verb, arguments, options and body of each, read from the handlers."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from backoffice.terminal.words import COLLECTIONS, Words

if TYPE_CHECKING:
    from backoffice.platform.web.lists import Listing


class NoWords(Exception):
    """A path whose collection the table of words does not have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `path` has `{name}` in place of each of `arguments`; `body` is the struct it takes, if any."""

    words: Words
    method: str
    path: str
    arguments: tuple[str, ...]
    means: str
    status: int
    opt: Mapping[str, Any]
    body: type[msgspec.Struct] | None
    upload: bool

    @property
    def listing(self) -> Listing | None:
        found: Listing | None = self.opt["listing"]
        return found

    @property
    def object_path(self) -> str | None:
        """Where the object that it changes is read, with its version; None where it names none."""
        if not self.arguments:
            return None
        last = self.path.rindex("}")
        return self.path[: last + 1]


def operations(handlers: Iterable[Any]) -> dict[Words, Operation]:
    """All of them by their words. NoWords for a collection that has none; AssertionError when two have the same."""
    described = [handler for handler in handlers if handler.opt.get("scope")]
    paths = {(method, _path(handler)) for handler in described for method in _methods(handler)}
    found: dict[Words, Operation] = {}
    for handler in described:
        for method in _methods(handler):
            operation = _operation(handler, method, paths)
            assert operation.words not in found, f"two operations are called {' '.join(operation.words)}"
            found[operation.words] = operation
    return found


def _operation(handler: Any, method: str, paths: set[tuple[str, str]]) -> Operation:
    path = _path(handler)
    hints = typing.get_type_hints(handler.fn)
    return Operation(
        words=_words(method, path, handler.opt, paths),
        method=method,
        path=path,
        arguments=tuple(re.findall(r"{(\w+)}", path)),
        means=" ".join((handler.fn.__doc__ or "").split()),
        status=handler.status_code or 200,
        opt=handler.opt,
        body=_struct(hints.get("data")),
        upload="upload" in hints,
    )


def _words(method: str, path: str, opt: Mapping[str, Any], paths: set[tuple[str, str]]) -> Words:
    """`/v1/payroll_runs/{id}/calculate` → payroll runs calculate; `/v1/workers/{id}/bank_accounts` → workers
    bank-accounts list, because bank accounts are a collection of their own that is not listed elsewhere."""
    parts = path.removeprefix("/v1/").split("/")
    named = [part for part in parts if not part.startswith("{")]
    last = named[-1]
    ends_in_id = parts[-1].startswith("{")
    if len(named) > 1 and not ends_in_id and last in COLLECTIONS and (method, f"/v1/{last}") not in paths:
        return (*COLLECTIONS[last], _plain_verb(method, opt, ends_in_id))
    collection, rest = _collection(path, named)
    if rest:
        verb = "-".join(rest).replace("_", "-").replace(".", "-")
        many = "{" not in path and any(told == method and re.sub(r"{\w+}/", "", other) == path
                                       for told, other in paths if other != path)  # fmt: skip
        return (*collection, f"{verb}-many" if many else verb)
    if not opt["listing"] and not ends_in_id and method == "GET":
        return collection  # one of a kind: /v1/tenant
    return (*collection, _plain_verb(method, opt, ends_in_id))


def _collection(path: str, named: list[str]) -> tuple[Words, list[str]]:
    for length in (2, 1):
        words = COLLECTIONS.get("/".join(named[:length]))
        if words is not None:
            return words, named[length:]
    raise NoWords(f"{path}: add {named[0]!r} to COLLECTIONS")


def _plain_verb(method: str, opt: Mapping[str, Any], one: bool) -> str:
    if method == "GET":
        return "get" if one else "list"
    return {"POST": "create", "PATCH": "update", "DELETE": "delete", "PUT": "replace"}[method]


def _path(handler: Any) -> str:
    return re.sub(r"{(\w+):\w+}", r"{\1}", next(iter(handler.paths)))


def _methods(handler: Any) -> list[str]:
    return sorted(str(method) for method in handler.http_methods if method not in ("OPTIONS", "HEAD"))


def _struct(hint: Any) -> type[msgspec.Struct] | None:
    for each in (hint, *typing.get_args(hint)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each
    return None


def variable(parameter: str) -> str:
    """A query parameter as a name in Python: `created_at[gte]` → `created_at__gte`."""
    return parameter.replace("[", "__").rstrip("]")
