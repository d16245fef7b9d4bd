"""`backoffice demo`."""

from __future__ import annotations

import sys

import click


@click.command()
def demo() -> None:
    """Play one firm's payday from end to end, on a platform of its own, and check every claim made on the way.

    Everything is made anew in .backoffice/demo (or the folder named at the start), on free ports; nothing else is
    touched. Exit status 0 only if every claim held.
    """
    from rich.console import Console

    from backoffice.demo.play import run
    from backoffice.demo.refusal import DemoRefused
    from backoffice.terminal.refusals import Refused, sentence

    try:
        status = run(Console(highlight=False))
    except DemoRefused as refused:
        raise Refused(str(refused)) from None
    except KeyboardInterrupt:
        raise Refused("The demo was stopped.") from None
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        raise Refused(told) from None
    sys.exit(status)
