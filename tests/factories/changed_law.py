"""Our tables of law with one thing changed."""

from __future__ import annotations

from backoffice.payroll.calc import Tables
from backoffice.payroll.calc.law import FOLDER


def tables_without(name: str) -> Tables:
    """All tables but that of `name`."""
    texts = {path.stem: path.read_bytes() for path in FOLDER.glob("us_*.toml") if path.stem != "us_local_places"}
    del texts[name]
    return Tables.of(texts)


def tables_with(name: str, more: bytes = b"", *, instead: tuple[str, str] | None = None) -> Tables:
    """All tables, that of `name` with `more` at its end, or with the one place of a text replaced."""
    texts = {path.stem: path.read_bytes() for path in FOLDER.glob("us_*.toml") if path.stem != "us_local_places"}
    if instead is not None:
        before, after = (text.encode() for text in instead)
        assert texts[name].count(before) == 1, f"{instead[0]} stands {texts[name].count(before)} times in {name}"
        texts[name] = texts[name].replace(before, after)
    texts[name] += more
    return Tables.of(texts)
