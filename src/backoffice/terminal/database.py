"""`backoffice db …`: roles, databases, schema."""

from __future__ import annotations

import click

from backoffice.terminal.refusals import tells


@click.group()
def db() -> None:
    """The database: its roles and its schema."""


@db.command()
@tells
def setup() -> None:
    """Make roles and databases, then bring the schema up to date; can be repeated at any time.

    On an existing PostgreSQL (BACKOFFICE_DATABASE_URL) with a superuser's BACKOFFICE_DATABASE_ADMIN_URL; without
    either, on the embedded one. Passwords that are not in the environment are made and kept in the state directory.
    """
    from backoffice.local.place import open_place

    with open_place() as place:
        for notice in place.notices:
            click.echo(notice)
        click.echo(f"roles, databases and schema are in place: {place.settings.database_url}")


@db.command()
@tells
def migrate() -> None:
    """Bring the schema up to date (signs in as bo_migrate)."""
    from backoffice.local.place import open_place
    from backoffice.platform.migrate import migrate as run

    with open_place(prepare=False) as place:
        run(place.settings.dsn("bo_migrate"))
        click.echo("the schema is up to date")


@db.command()
@click.option("--url", help="compare with this database and draft only what it lacks (signs in as bo_migrate)")
@tells
def draft(url: str | None) -> None:
    """Print the SQL of declared tables, as a migration's file."""
    from backoffice import models
    from backoffice.platform.migrate import draft as written

    models.load()
    click.echo(written(url))
