"""What a command prints: JSON for a program, tables for a person at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

COLUMNS = 8
_LAST = ("object", "livemode", "metadata", "version", "created_at", "updated_at", "external_id")


def show(value: Any, *, as_json: bool = False) -> None:
    """Print JSON values or structs: as they are where asked for or where nobody watches, else a page of a list as a
    table and an object field by field."""
    import msgspec

    value = msgspec.to_builtins(value)
    if as_json or not sys.stdout.isatty() or not isinstance(value, Mapping):
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    if value.get("object") == "list" and isinstance(value.get("data"), list):
        _list(console, value)
    else:
        _object(console, value)


def problem(status: int, content: Mapping[str, Any]) -> list[str]:
    """An RFC 9457 problem as lines, with all its faults."""
    lines = [f"{status} {content.get('code', '')}: {content.get('detail') or content.get('title', '')}"]
    for fault in content.get("errors", ()):
        where = fault.get("pointer") or fault.get("parameter") or ""
        lines.append(f"  {where}  {fault.get('detail', '')} [{fault.get('code', '')}]")
    lines += [
        f"  {blocker.get('subject', '')}  {blocker.get('detail', '')} [{blocker.get('code', '')}]"
        for blocker in content.get("blockers", ())
    ]
    fix = content.get("fix")
    if isinstance(fix, Mapping):
        lines.append(f"  {fix.get('who', '')}: {fix.get('what', '')} {fix.get('api', '')}".rstrip())
    if content.get("request_id"):
        lines.append(f"  request {content['request_id']}")
    return lines


def _list(console: Any, page: Mapping[str, Any]) -> None:
    from rich.table import Table

    rows: Sequence[Mapping[str, Any]] = page["data"]
    if not rows:
        console.print("none")
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if name not in _LAST] + [name for name in _LAST if name in names]
    told = [name for name in names if any(_cell(row.get(name)) for row in rows)][:COLUMNS]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in told:
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) or "" for name in told))
    console.print(table)
    if page.get("total_count") is not None:
        console.print(f"{page['total_count']} in all")
    if page.get("has_more"):
        console.print(f"more: --cursor {page.get('next_cursor')}, or --all", soft_wrap=True)


def _object(console: Any, value: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, each in value.items():
        told = _cell(each)
        if told is None and each:
            told = json.dumps(each, indent=2, ensure_ascii=False)
        table.add_row(name, told or "")
    console.print(table)


def _cell(value: Any) -> str | None:
    """A value that fits into a cell; None for one that does not."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        return f"{value['amount']} {value['currency']}"
    if isinstance(value, Mapping) and set(value) >= {"done", "total"}:
        return f"{value['done']}/{value['total']}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return None
