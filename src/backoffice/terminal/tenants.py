"""`backoffice tenants plan|apply`: firms, from their folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backoffice.terminal.refusals import Refused, tells

if TYPE_CHECKING:
    from backoffice.accounts.provision import Plan
    from backoffice.accounts.tenant_file import TenantFile
    from backoffice.terminal.operating import Operator

FIRMS = "FIRM is the name of a folder; all of them by default (except those that begin with _)."


@click.group()
def tenants() -> None:
    """Firms and their tenants, from tenants/<firm>/tenant.toml."""


_folder = click.option(
    "--folder",
    default="tenants",
    show_default=True,
    type=click.Path(path_type=Path),
    help="where the firms' folders are",
)


@tenants.command(epilog=FIRMS)
@click.argument("firms", nargs=-1, metavar="[FIRM]...")
@_folder
@tells
def plan(firms: tuple[str, ...], folder: Path) -> None:
    """Print what apply would create and change, and what is there and not in the file.

    Exit status 0: nothing would; 1: something, or a file is refused.
    """
    sys.exit(_each(firms, folder, write=False))


@tenants.command(epilog=FIRMS)
@click.argument("firms", nargs=-1, metavar="[FIRM]...")
@_folder
@tells
def apply(firms: tuple[str, ...], folder: Path) -> None:
    """Make it so, and print what was created and changed. Applying twice changes nothing; nothing is ever deleted.

    Exit status 1 when a file is refused: then nothing at all is applied.
    """
    sys.exit(_each(firms, folder, write=True))


def read_firms(firms: tuple[str, ...], folder: Path) -> list[TenantFile]:
    """The files of these firms, or of all; every fault of every file is printed before exit status 1."""
    from backoffice.accounts.tenant_file import TenantFileRefused, load

    if not folder.is_dir():
        raise Refused(f"{folder} is no folder: name the one that holds the firms' folders with --folder.")
    there = sorted(path.parent.name for path in folder.glob("[!_.]*/tenant.toml"))
    if missing := [firm for firm in firms if not (folder / firm / "tenant.toml").is_file()]:
        raise Refused(
            f"{folder} has no {', '.join(f'{firm}/tenant.toml' for firm in missing)}; it has {', '.join(there)}."
        )
    files, faults = [], []
    for firm in firms or there:
        try:
            files.append(load(folder / firm))
        except TenantFileRefused as refused:
            faults += [str(fault) for fault in refused.faults]
    if faults:
        for fault in faults:
            click.echo(fault, err=True)
        sys.exit(1)
    if not files:
        raise Refused(f"{folder} has no firm's folder with a tenant.toml.")
    return files


def _each(firms: tuple[str, ...], folder: Path, *, write: bool) -> int:
    from backoffice.accounts import provision
    from backoffice.accounts.errors import EinTaken, ModeFixed
    from backoffice.terminal.operating import operate

    files = read_firms(firms, folder)

    async def act(operator: Operator) -> int:
        done = provision.apply_firm if write else provision.plan_firm
        status = 0
        for file in files:
            try:
                changes: Plan = await done(operator.control, operator.runtime, file)
            except (EinTaken, ModeFixed) as refused:
                click.echo(f"{file.firm.slug}: {refused.detail}", err=True)
                status = 1
                continue
            click.echo(f"{file.firm.slug}:")
            for line in changes.lines():
                click.echo(f"  {line}")
            if not write and not changes.empty:
                status = 1
        return status

    return operate(act)
