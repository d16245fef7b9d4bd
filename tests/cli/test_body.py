"""Bodies from `--data` and `--set`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import click
import msgspec
import pytest

from backoffice.platform.web.bodies import MoneyBody
from backoffice.terminal.body import build, fields


class Inner(msgspec.Struct):
    city: str
    count: int = 0


class Sample(msgspec.Struct, kw_only=True):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    days: int = 0
    open_: bool = False
    note: str | None = None
    tags: list[str] = []
    pay: MoneyBody | None = None
    inner: Inner | None = None


def body(data: str | None, *sets: str) -> Any:
    return json.loads(build(Sample, data, sets))


def test_values_have_the_types_of_their_fields() -> None:
    told = body(
        None, "name=12", "days=12", "open_=true", "note=null", 'tags=["a", "b"]', "inner.count=3", "inner.city=7"
    )
    assert told == {
        "name": "12",
        "days": 12,
        "open_": True,
        "note": None,
        "tags": ["a", "b"],
        "inner": {"count": 3, "city": "7"},
    }


def test_money_as_an_object_and_by_its_field() -> None:
    assert body(None, "pay.amount=12.50")["pay"] == {"amount": "12.50"}
    assert body(None, 'pay={"amount": "1.00"}')["pay"] == {"amount": "1.00"}


def test_set_changes_what_data_gave(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"name": "from a file", "days": 1}')
    assert body(f"@{file}", "days=2") == {"name": "from a file", "days": 2}
    assert body('{"name": "x"}') == {"name": "x"}


def test_unknown_fields_are_left_for_the_api_to_refuse() -> None:
    assert body(None, "colour=5") == {"colour": "5"}


@pytest.mark.parametrize(
    ("data", "sets"),
    [("{", ()), ("@/no/such/file", ()), (None, ("name",)), (None, ("=x",)), ('{"name": 1}', ("name.a=1",))],
)
def test_what_cannot_be_read_is_wrong_usage(data: str | None, sets: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        build(Sample, data, sets)


def test_fields_for_the_help() -> None:
    told = dict(fields(Sample))
    assert told["name"] == "text, required"
    assert told["days"] == "integer"
    assert told["note"] == "text"
    assert told["pay"].startswith("money")
