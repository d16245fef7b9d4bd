"""The columns of `workers.upsert` that hold a state's own certificate (CA DE 4, NY IT-2104, IL-W-4 …). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from backoffice.kernel import csv_rows
from backoffice.kernel.csv_rows import Column
from backoffice.kernel.places import STATES
from backoffice.people.schemas import StateElection

_HEAD = "state_certificate_"
_EXEMPTIONS = ("dependent", "first_time_dependent", "adopted")  # columns state_certificate_exemptions_…


class StateCertificateRow(msgspec.Struct, frozen=True, kw_only=True):
    """Whose form it is, and what it says."""

    state: str
    says: StateElection


def _rate(cell: str) -> int:
    """A fraction of the wages, as millionths."""
    rate = csv_rows.decimal(6)(cell)
    if not 0 <= rate <= 1:
        raise csv_rows.CellRefused("out_of_range", 'must be a fraction from 0 to 1: 2 percent is "0.02"')
    return int(Decimal(rate).scaleb(6))


_READ = {
    "status": csv_rows.pattern(r"[A-Za-z0-9_]{1,40}", "unknown_value", "must be a status of the state's own form"),
    **dict.fromkeys(("allowances", "secondary_allowances"), csv_rows.whole(99)),
    **dict.fromkeys((f"exemptions_{name}" for name in _EXEMPTIONS), csv_rows.whole(99)),
    **dict.fromkeys(("elected_rate", "local_rate", "county_rate"), _rate),
    **dict.fromkeys(("elected_annual_credit", "elected_annual_exemption", "additional_withholding"), csv_rows.cents),
    "exempt": csv_rows.flag,
}
STATE_COLUMNS: tuple[Column, ...] = (
    Column(name=f"{_HEAD}state", read=csv_rows.one_of(STATES), optional=True),
    *(Column(name=f"{_HEAD}{name}", read=read, optional=True) for name, read in _READ.items()),
)


def check_state(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if f"{_HEAD}state" not in values or values[f"{_HEAD}state"] is not None:
        return
    named = next((column.name for column in STATE_COLUMNS if values.get(column.name) is not None), None)
    if named is not None:
        yield f"{_HEAD}state", "required", f"must say which state's certificate {named} is from"


def state_certificate(values: Mapping[str, Any]) -> StateCertificateRow | None:
    """The certificate of a row, None where it names no state. An empty cell: the form does not say."""
    if values[f"{_HEAD}state"] is None:
        return None
    said = {name.removeprefix("exemptions_"): values[f"{_HEAD}{name}"] for name in _READ}
    return StateCertificateRow(
        state=values[f"{_HEAD}state"],
        says=StateElection(**{name: value for name, value in said.items() if value is not None}),
    )
