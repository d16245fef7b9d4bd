"""`payroll tables`: what law is known here, since when, from which source, and whether it is verified.

Read from the tables themselves: every part of a file that names its own source or citation is an entry, whatever it is
about, so a new kind of table is listed by being there. What a part does not say it has from the parts around it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from backoffice.payroll.calc import STATES
from backoffice.payroll.calc.law import FOLDER

_INHERITED = ("source", "citation", "verified", "effective_from", "effective_to")
_STATE = frozenset(STATES)
# A table about one matter in many states; those of one jurisdiction are called by it.
_ABOUT = re.compile(r"us_(?!federal)([a-z]{3}[a-z_]*?)(?:_[0-9]{4})?").fullmatch


@dataclass(frozen=True, slots=True)
class Known:
    """One piece of law. `what` is its place in the table; `since` a date, or the year of the table; `verified` None
    where the table does not say."""

    jurisdiction: str
    year: int | None
    what: str
    since: str | None
    until: str | None
    verified: bool | None
    source: str | None
    citation: str | None
    method: str | None
    table: str
    version: str


@dataclass(frozen=True, slots=True)
class Law:
    """Everything known: names of the jurisdictions (US first), which of them tax wages, and the entries."""

    names: Mapping[str, str]
    taxing: frozenset[str]
    entries: tuple[Known, ...]

    def of(self, code: str) -> tuple[Known, ...]:
        return tuple(entry for entry in self.entries if entry.jurisdiction == code)

    def as_json(self, code: str | None) -> dict[str, Any]:
        entries = self.entries if code is None else self.of(code)
        return {
            "jurisdictions": [
                {
                    "code": each,
                    "name": name,
                    "taxes_wages": each in self.taxing or each == "US",
                    "withholding_known": sorted({entry.year for entry in _withholding(self.of(each)) if entry.year}),
                }
                for each, name in self.names.items()
                if code in {None, each}
            ],
            "tables": dict(sorted({entry.table: entry.version for entry in entries}.items())),
            "known": [asdict(entry) for entry in entries],
        }

    def as_text(self, code: str | None) -> list[str]:
        return self._summary() if code is None else self._whole(code)

    def _summary(self) -> list[str]:
        rows = [("code", "name", "year", "withholding", "since", "other", "unverified")]
        for code, name in self.names.items():
            own = self.of(code)
            for year in sorted({entry.year for entry in own if entry.year}) or (None,):
                entries = [entry for entry in own if entry.year == year]
                law = _withholding(entries)
                methods = ", ".join(dict.fromkeys(entry.method or entry.what for entry in law))
                unknown = "not known yet" if code in self.taxing else "no income tax on wages"
                since = ", ".join(dict.fromkeys(entry.since or "" for entry in law))
                rows.append(
                    (
                        code, name, str(year or ""), methods or unknown, since, str(len(entries) - len(law)),
                        str(sum(entry.verified is False for entry in entries) or ""),
                    )
                )  # fmt: skip
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return [*lines, "", "A jurisdiction whole, with its sources: backoffice payroll tables NY"]

    def _whole(self, code: str) -> list[str]:
        own = self.of(code)
        taxed = code in self.taxing or code == "US"
        lines = [f"{self.names[code]} ({code}): {'taxes wages' if taxed else 'no income tax on wages'}"]
        if taxed and not _withholding(own):
            lines.append("Its withholding is not known here yet.")
        for entry in own:
            span = f"since {entry.since}" if entry.since else "at all times"
            span += f" until {entry.until}" if entry.until else ""
            mark = {True: "verified", False: "NOT VERIFIED", None: "not said whether verified"}[entry.verified]
            method = f", method {entry.method}" if entry.method else ""
            lines += ["", f"{entry.what}{method}: {span}; {mark}"]
            lines += [f"    law: {entry.citation}"] if entry.citation else []
            lines += [f"    source: {entry.source}"] if entry.source else []
            lines.append(f"    table: {entry.table} {entry.version}")
        return lines


def known_law(folder: Path = FOLDER) -> Law:
    """The law in the tables of a folder, by default this package's."""
    names, taxing = {"US": "United States"}, set()
    entries: list[Known] = []
    for path in sorted(folder.glob("us_*.toml")):
        content = path.read_bytes()
        document = tomllib.loads(content.decode())
        meta = document.get("meta", document)
        version = f"{meta['version']}+{sha256(content).hexdigest()[:8]}"
        if path.stem == "us_jurisdictions":
            for code, state in document["states"].items():
                names[code] = state["name"]
                taxing |= {code} if state["income_tax"] else set()
        entries += _entries(document, (), {**meta, "table": path.stem, "version": version})
    entries.sort(key=lambda entry: (entry.jurisdiction, entry.year or 9999, entry.table, entry.since or ""))
    return Law(names, frozenset(taxing), tuple(entries))


def _entries(part: Mapping[str, Any], path: tuple[str, ...], around: Mapping[str, Any]) -> Iterator[Known]:
    own = {**around, **{key: part[key] for key in _INHERITED if key in part}}
    if path and path[0] != "meta" and ("source" in part or "citation" in part):
        yield _entry(part, path, own)
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _entries(value, (*path, key), own)
        elif _is_list_of_parts(value):
            for each in value:
                name = next((each[word] for word in ("code", "name") if isinstance(each.get(word), str)), None)
                yield from _entries(each, (*path, key, name) if name else (*path, key), own)


def _is_list_of_parts(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _entry(part: Mapping[str, Any], path: tuple[str, ...], own: Mapping[str, Any]) -> Known:
    state = next((each for each in (part.get("state"), *reversed(path)) if each in _STATE), None)
    year = own.get("year")
    since = own.get("effective_from") or (f"{year}-01-01" if year else None)
    until = own.get("effective_to") or (f"{year}-12-31" if year and "effective_from" not in own else None)
    what = " ".join(each.replace("_", " ") if each.islower() else each for each in path if each != state)
    about = _ABOUT(own["table"])
    form = part.get("form")
    return Known(
        jurisdiction=state or own.get("jurisdiction", "US"),
        year=year,
        what=(f"{about[1].replace('_', ' ')}: " if about else "") + what + (f" {form}" if form else ""),
        since=str(since) if since else None,
        until=str(until) if until else None,
        verified=own.get("verified"),
        source=own.get("source"),
        citation=own.get("citation"),
        method=part.get("method") or part.get("rule"),
        table=own["table"],
        version=own["version"],
    )


def _withholding(entries: Sequence[Known]) -> list[Known]:
    return [entry for entry in entries if entry.what == "withholding"]
