"""The command line's door to the API: a command for every operation, made from its declaration."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from backoffice.terminal.operations import Operation, operations, variable
from backoffice.terminal.refusals import tells
from backoffice.terminal.words import COLLECTIONS, MEANS, OWN, Words, below

_EPILOG = "BACKOFFICE_PUBLIC_URL says where the API is, BACKOFFICE_API_KEY opens it."


@functools.cache
def offered() -> dict[Words, Operation]:
    """Every operation of the API by its words."""
    from backoffice import api

    return operations(api.HANDLERS)


def find(words: Words) -> click.Command:
    """The command of these words, or the group below them."""
    if words in COLLECTIONS.values() and not below(words) and words in offered():
        return command(offered()[words])
    return Resources(words)


class Resources(click.Group):
    """The commands below some words. Handlers are looked at only where a verb is asked for."""

    def __init__(self, words: Words) -> None:
        means = MEANS[words[0]] if len(words) == 1 else f"{words[-1].replace('-', ' ').capitalize()}."
        super().__init__(name=words[-1], help=means, epilog=_EPILOG)
        self._words = words

    def list_commands(self, ctx: click.Context) -> list[str]:
        if self._words not in COLLECTIONS.values():
            return below(self._words)
        depth = len(self._words)
        verbs = {words[depth] for words in offered() if words[:depth] == self._words and len(words) == depth + 1}
        return sorted({*verbs, *below(self._words)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        words = (*self._words, cmd_name)
        if words in OWN:
            module, _, name = OWN[words].partition(":")
            own: click.Command = getattr(importlib.import_module(module), name)
            return own
        if cmd_name in below(self._words):
            return find(words)
        found = offered().get(words)
        return None if found is None else command(found)


def command(operation: Operation) -> click.Command:
    """The click command of one operation."""
    opt = operation.opt
    mutates = operation.method != "GET"
    params: list[click.Parameter] = [
        click.Argument([name], metavar=name.removesuffix("_id").upper()) for name in operation.arguments
    ]
    if operation.listing is not None:
        params += _listing(operation)
    params += [
        click.Option([_flag(name), name], help=_schema_help(schema), metavar="VALUE")
        for name, schema in opt["query"].items()
    ]
    if operation.body is not None:
        params.append(click.Option(["--data"], metavar="JSON|@FILE|-", help="the body"))
        params.append(click.Option(["--set", "sets"], multiple=True, metavar="FIELD=VALUE", help="a field of the body"))
    if operation.upload:
        taken = " or ".join(opt["media"])
        path = click.Path(exists=True, dir_okay=False, path_type=Path)
        params.append(click.Option(["--file", "file"], required=True, type=path, help=f"what is sent ({taken})"))
    if mutates:
        params.append(click.Option(["--dry-run"], is_flag=True, help="what it would do; nothing is done"))
    if opt["keyed"] != "none":
        text = "the same for a retry" + ("; made when it is left out" if opt["keyed"] == "required" else "")
        params.append(click.Option(["--idempotency-key"], metavar="KEY", help=text))
    if opt["if_match"]:
        text = "the version you looked at; the present one when it is left out"
        params.append(click.Option(["--if-match"], metavar="VERSION", help=text))
    if operation.status == 202:
        params.append(
            click.Option(["--wait"], is_flag=True, help="until the job has ended; exit status 1 if it failed")
        )
    if opt["produces"] != "application/json":
        out = click.Path(dir_okay=False, writable=True, path_type=Path)
        params.append(click.Option(["--output"], type=out, help="write it there instead of standard output"))
    params.append(click.Option(["--json", "as_json"], is_flag=True, help="print JSON on a terminal too"))

    @tells
    def run(**given: Any) -> None:
        from backoffice.terminal.asking import ask

        sys.exit(ask(operation, given))

    return click.Command(
        name=operation.words[-1], callback=run, params=params, help=operation.means, epilog=_epilog(operation)
    )


def _listing(operation: Operation) -> list[click.Parameter]:
    listing = operation.listing
    assert listing is not None
    options: list[click.Parameter] = []
    for name, each in listing.filters.items():
        values = click.Choice(each.values) if each.values else None
        options.append(click.Option([_flag(name), name], type=values, metavar=None if values else "VALUE"))
        options += [
            click.Option([f"{_flag(name)}-{operator}", variable(f"{name}[{operator}]")], metavar="VALUE")
            for operator in each.operators
        ]
    sorts = ", ".join(sorted({*listing.sorts, "id"}))
    return [
        *options,
        click.Option(["--limit"], type=click.IntRange(1, listing.largest), help="how many; 25 by default"),
        click.Option(["--sort"], metavar="FIELD", help=f"{sorts}; with - in front for descending"),
        click.Option(["--cursor"], help="where the page before ended"),
        click.Option(["--total", "total"], is_flag=True, help="count them all, too"),
        click.Option(["--all", "all_pages"], is_flag=True, help="all pages"),
    ]


def _epilog(operation: Operation) -> str:
    from backoffice.terminal.body import fields

    if operation.body is None:
        return _EPILOG
    told = "\n".join(f"  {name}: {what}" for name, what in fields(operation.body))
    return f"\b\nFields of the body:\n{told}\n\n{_EPILOG}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _schema_help(schema: Any) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("format") or schema.get("type") or "")
