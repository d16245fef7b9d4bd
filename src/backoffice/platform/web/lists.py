"""Lists (API conventions §5): declared filters and sorts, signed cursors, a total order that ends in `id`.

A domain declares a `Listing` per collection; `page(tx, …)` reads it. No page is skipped or repeated under inserts,
because a cursor names the last row seen, not a position.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Select,
    SmallInteger,
    Table,
    and_,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from backoffice.kernel import clock, ids
from backoffice.kernel.errors import BadRequest, Fault
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import Instant

T = TypeVar("T")

CURSOR_SECONDS = 24 * 3600
_WHOLE = re.compile(r"^-?[0-9]{1,18}\Z")
_ONCE = ("limit", "cursor", "sort", "include")
_signing_key = b""


def configure(key: bytes) -> None:
    """The key that signs cursors: the same in every API process."""
    global _signing_key
    _signing_key = key


class CursorInvalid(BadRequest):
    code = "cursor_invalid"
    title = "The cursor is not valid here"


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """One page of a list."""

    object: str = "list"
    data: list[T]
    has_more: bool
    next_cursor: str | None = None
    total_count: int | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter over a column, or over what is made of columns. `kind` (an id's kind) makes it an id filter;
    `operators` are those offered besides equality, as `name[gte]=…`; `values` are the words of a closed list, and
    `stands_for` says which stored values a word means where it is not the one that is stored. Where the column stands
    in another table, `through` turns the condition on it into one on the listed table."""

    column: ColumnElement[Any]
    kind: str | None = None
    operators: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    stands_for: Callable[[str], tuple[str, ...]] | None = None
    through: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Listing:
    """What a collection offers: its filters, its sorts (the first is used when none is asked for)."""

    table: Table
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: tuple[str, ...] = ("id",)
    largest: int = 100

    def parameters(self) -> set[str]:
        """Every query parameter that this list understands."""
        names = set(_ONCE)
        for name, each in self.filters.items():
            names |= {name, *(f"{name}[{operator}]" for operator in each.operators)}
        return names


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed list request."""

    limit: int
    sort: str
    descending: bool
    where: tuple[tuple[str, str, str], ...]  # (filter, operator, text)
    total: bool
    after: tuple[str | None, str] | None
    path: str

    def print(self, tenant: UUID) -> str:
        told = msgspec.json.encode([str(tenant), self.path, self.sort, self.descending, self.where])
        return hashlib.sha256(told).hexdigest()[:32]


def parse(
    listing: Listing,
    parameters: Sequence[tuple[str, str]],
    *,
    path: str,
    tenant: UUID,
    unknown: Sequence[Fault] = (),
) -> Query:
    """Read the query string; BadRequest with every fault, the `unknown` parameters first, CursorInvalid for a cursor of
    another list or tenant."""
    strange, named = {fault.parameter for fault in unknown}, [name for name, _ in parameters]
    faults = [*unknown]
    faults += [Fault("repeated", "may be given once", parameter=name) for name in _ONCE if named.count(name) > 1]
    limit, sort, cursor, total = 25, "", None, False
    where: list[tuple[str, str, str]] = []
    for name, text in parameters:
        if name == "limit":
            if text.isascii() and text.isdigit() and 1 <= int(text) <= listing.largest:
                limit = int(text)
            else:
                faults.append(Fault("out_of_range", f"must be 1 to {listing.largest}", parameter="limit"))
        elif name == "sort":
            sort = text
            if text.lstrip("-") not in {*listing.sorts, "id"} or text.startswith("--"):
                offered = ", ".join(sorted({*listing.sorts, "id"}))
                faults.append(
                    Fault("not_allowed", f"must be one of {offered}, with - for descending", parameter="sort")
                )
        elif name == "cursor":
            cursor = text
        elif name == "include":
            total = text == "total_count"
            if not total:
                faults.append(Fault("not_allowed", "must be total_count", parameter="include"))
        elif name not in strange:
            base, _, operator = name.partition("[")
            where.append((base, operator.rstrip("]") or "eq", text))
            reason = _filter_fault(listing.filters[base], operator.rstrip("]") or "eq", text)
            if reason:
                faults.append(Fault("invalid", reason, parameter=name))
    if faults:
        raise BadRequest("The query has invalid parameters.", errors=faults)
    sort = sort or "-id"
    query = Query(limit, sort.lstrip("-"), sort.startswith("-"), tuple(sorted(where)), total, None, path)
    if cursor is None:
        return query
    return replace(query, after=_open(cursor, query, tenant))


def _filter_fault(filter_: Filter, operator: str, text: str) -> str | None:
    if operator == "exists":
        return None if text in ("true", "false") else "must be true or false"
    for each in text.split(",") if operator == "in" else [text]:
        if filter_.values and each not in filter_.values:
            return f"must be one of {', '.join(filter_.values)}"
        try:
            _value(filter_, each)
        except ValueError as error:
            return str(error)
    return None


def _value(filter_: Filter, text: str) -> Any:
    if "\x00" in text or len(text) > 500:
        raise ValueError("must be text of at most 500 characters")
    if filter_.kind is not None:
        found = ids.decode(filter_.kind, text)
        if found is None:
            raise ValueError(
                f"must be an id of the form {ids.PREFIXES[filter_.kind]}_…; names (ext:) stand in paths only"
            )
        return found
    type_ = filter_.column.type
    if isinstance(type_, Date):
        try:
            return msgspec.convert(text, date)
        except msgspec.ValidationError:
            raise ValueError("must be a date such as 2026-11-21") from None
    if isinstance(type_, DateTime):
        try:
            return msgspec.convert(text, Instant).astimezone(UTC)
        except (msgspec.ValidationError, OverflowError):  # the first and the last day there is, in some zones
            raise ValueError("must be an instant such as 2026-11-21T12:00:00Z") from None
    if isinstance(type_, Boolean):
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if type_.python_type is int:
        if not _WHOLE.match(text):
            raise ValueError("must be a whole number of at most 18 digits")
        bits = 15 if isinstance(type_, SmallInteger) else 63 if isinstance(type_, BigInteger) else 31
        if not -(1 << bits) <= int(text) < 1 << bits:
            raise ValueError(f"must be a whole number of at most {(1 << bits) - 1}")
        return int(text)
    return text


def _condition(filter_: Filter, operator: str, text: str) -> Any:
    column = filter_.column
    if operator == "exists":
        return column.is_not(None) if text == "true" else column.is_(None)
    if operator == "in" or filter_.stands_for is not None:
        words = text.split(",") if operator == "in" else [text]
        stored = [each for word in words for each in (filter_.stands_for or _itself)(word)]
        condition = or_(*(column == _value(filter_, each) for each in stored))
        return not_(condition) if operator == "ne" else condition
    value = _value(filter_, text)
    return {
        "eq": lambda: column == value,
        "ne": lambda: column != value,
        "gt": lambda: column > value,
        "gte": lambda: column >= value,
        "lt": lambda: column < value,
        "lte": lambda: column <= value,
    }[operator]()


def _itself(word: str) -> tuple[str, ...]:
    return (word,)


async def page(
    tx: Tx,
    listing: Listing,
    query: Query,
    view: Callable[[Row], T],
    *,
    source: Select[Any] | None = None,
    narrow: Sequence[Any] = (),
) -> Page[T]:
    """One page. `view` turns a row into its outward struct; `source` is a SELECT of more than the table's columns
    (it must name the tenant itself); `narrow` are conditions of the path, such as the parent's id."""
    table = listing.table
    conditions = [table.c.tenant_id == TENANT, *narrow]
    for name, operator, text in query.where:
        filter_ = listing.filters[name]
        condition = _condition(filter_, operator, text)
        conditions.append(condition if filter_.through is None else filter_.through(condition))
    statement = (select(*table.c) if source is None else source).where(*conditions)
    sort, id_ = table.c[query.sort], table.c.id
    if query.after is not None:
        statement = statement.where(_beyond(sort, id_, query))
    by = [id_] if query.sort == "id" else [sort, id_]
    order = [column.desc() if query.descending else column.asc() for column in by]
    rows = await tx.fetch(statement.order_by(*order).limit(query.limit + 1))
    more, rows = len(rows) > query.limit, rows[: query.limit]
    result: Page[T] = Page(data=[view(row) for row in rows], has_more=more)
    if more:
        last = rows[-1]
        told = None if query.sort == "id" else _text(last[query.sort])
        result.next_cursor = _sign(query, tx.tenant, told, str(last["id"]))
    if query.total:
        result.total_count = await tx.value(select(func.count()).select_from(table).where(*conditions))
    return result


def _beyond(sort: Column[Any], id_: Column[Any], query: Query) -> Any:
    assert query.after is not None
    told, last = query.after
    last_id = UUID(last)
    past_id = id_ < last_id if query.descending else id_ > last_id
    if query.sort == "id":
        return past_id
    value: Any = told
    if isinstance(sort.type, DateTime):
        value = datetime.fromisoformat(told or "")
    elif isinstance(sort.type, Date):
        value = date.fromisoformat(told or "")
    elif isinstance(sort.type, PG_UUID):
        value = UUID(told)
    elif sort.type.python_type is int:
        value = int(told or 0)
    past = sort < value if query.descending else sort > value
    return or_(past, and_(sort == value, past_id))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _sign(query: Query, tenant: UUID, told: str | None, last: str) -> str:
    payload = msgspec.json.encode([int(clock.wall().timestamp()), query.print(tenant), told, last])
    mac = hmac.digest(_signing_key, payload, "sha256")[:16]
    return "c_" + base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")


def _open(cursor: str, query: Query, tenant: UUID) -> tuple[str | None, str]:
    refusal = CursorInvalid(
        "Start again without a cursor; a cursor belongs to one list with its filters and sort, and lives 24 hours."
    )
    try:
        raw = base64.b64decode(cursor.removeprefix("c_") + "=" * (-len(cursor.removeprefix("c_")) % 4), b"-_", True)
    except ValueError:
        raise refusal from None
    mac, payload = raw[:16], raw[16:]
    if not hmac.compare_digest(mac, hmac.digest(_signing_key, payload, "sha256")[:16]):
        raise refusal
    at, print_, told, last = msgspec.json.decode(payload)
    if print_ != query.print(tenant) or clock.wall().timestamp() - at > CURSOR_SECONDS:
        raise refusal
    return told, last
