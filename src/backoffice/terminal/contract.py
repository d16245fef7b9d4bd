"""`backoffice openapi`: the contract with customers, written from the code and committed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from backoffice.terminal.refusals import Refused, tells

SERVER = "https://api.backoffice.example"
HEAD = "# Written by `backoffice openapi` from the code; do not edit.\n"


def contract() -> dict[str, str]:
    """Every file of the folder, by its path in it: the whole document, and one JSON Schema for each event."""
    import yaml

    from backoffice import api
    from backoffice.platform.courier import catalogue
    from backoffice.platform.events import CATALOGUE
    from backoffice.platform.web import openapi

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    document = json.loads(json.dumps(openapi.document(api.HANDLERS, server=SERVER)))
    text = yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=120)
    files = {"v1.yaml": HEAD + text}
    for name, event in sorted(CATALOGUE.items()):
        files[f"events/{name}.json"] = json.dumps(catalogue.schema(event), indent=2, ensure_ascii=False) + "\n"
    return files


def differences(folder: Path, files: dict[str, str]) -> list[str]:
    """What is missing, different or left over in the folder, as lines."""
    told = []
    for name, text in files.items():
        file = folder / name
        if not file.is_file():
            told.append(f"{file} is missing")
        elif file.read_text(encoding="utf-8") != text:
            told.append(f"{file} is not what the code says")
    left = [path for path in sorted((folder / "events").glob("*.json")) if f"events/{path.name}" not in files]
    return [*told, *(f"{path} describes an event that there is no more" for path in left)]


@click.command()
@click.option("--check", is_flag=True, help="write nothing; exit status 1 when the files are not current")
@click.option("--folder", default="openapi", show_default=True, type=click.Path(path_type=Path))
@tells
def openapi(check: bool, folder: Path) -> None:
    """Write openapi/v1.yaml and openapi/events/*.json from the code."""
    files = contract()
    wrong = differences(folder, files)
    if check:
        for line in wrong:
            click.echo(line)
        if wrong:
            click.echo("run `backoffice openapi`, and look at what changed: it is a promise to customers")
        sys.exit(1 if wrong else 0)
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder: run this in the project's own folder, or name one with --folder.")
    (folder / "events").mkdir(exist_ok=True)
    for path in (folder / "events").glob("*.json"):
        if f"events/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    click.echo(f"{len(files)} files in {folder}; {len(wrong)} were not current")
