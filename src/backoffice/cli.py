"""`backoffice`: every door of the product on the command line. A group knows where its commands are and imports them
when they are asked for, so that a pure calculation opens no database and starts at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, tuple[str, str]] = {
    # name: (where it is, what it does)
    "demo": ("backoffice.demo.command:demo", "Play one firm's payday from end to end."),
    "up": ("backoffice.terminal.processes:up", "Serve: all processes under one supervisor."),
    "api": ("backoffice.terminal.processes:api", "Answer HTTP requests."),
    "worker": ("backoffice.terminal.processes:worker", "Do jobs."),
    "dispatcher": ("backoffice.terminal.processes:dispatcher", "Release jobs."),
    "courier": ("backoffice.terminal.processes:courier", "Deliver webhooks."),
    "health": ("backoffice.terminal.processes:health", "Ask whether a process is well."),
    "doctor": ("backoffice.terminal.doctor:doctor", "Say what is stuck and why."),
    "db": ("backoffice.terminal.database:db", "The database: roles and schema."),
    "tenants": ("backoffice.terminal.tenants:tenants", "Firms and their tenants, from files."),
    "keys": ("backoffice.terminal.keys:keys", "API keys, made on the machine itself."),
    "openapi": ("backoffice.terminal.contract:openapi", "Write the contract from the code."),
}


class Doors(click.Group):
    """The operator's commands, and one group for each resource of the API."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from backoffice.terminal.words import groups

        return [*COMMANDS, *sorted(groups())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        from backoffice.terminal.words import groups

        if cmd_name not in groups():
            return None
        from backoffice.terminal.door import find

        return find((cmd_name,))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from backoffice.terminal.words import groups

        with formatter.section("On this machine"):
            formatter.write_dl([(name, means) for name, (_, means) in COMMANDS.items()])
        with formatter.section("Through the API (BACKOFFICE_PUBLIC_URL, BACKOFFICE_API_KEY)"):
            formatter.write_dl(sorted(groups().items()))


@click.group(cls=Doors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """A back office as a service."""


if __name__ == "__main__":
    sys.exit(main(prog_name="backoffice"))
