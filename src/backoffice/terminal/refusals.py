"""What cannot even be tried is told in one sentence, with exit status 2."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import IO, Any, ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")


class Refused(click.ClickException):
    """One sentence on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"backoffice: {self.message}", err=True)


def tells(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what platform refuses into a sentence. Its errors are looked up only once something was raised, so that a
    pure command does not import what it does not use."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except click.ClickException:
            raise
        except Exception as error:
            told = sentence(error)
            if told is None:
                raise
            raise Refused(told) from None

    return run


def sentence(error: BaseException) -> str | None:
    """What to tell the person at the terminal; None for a fault of ours, which is told in full."""
    from backoffice.platform import unreachable
    from backoffice.platform.api_client import Unreachable
    from backoffice.platform.postgres import PostgresRefused
    from backoffice.platform.settings import SettingsRefused
    from backoffice.platform.state import StateRefused
    from backoffice.platform.storage import StorageFault

    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return sentence(error.exceptions[0])
    if isinstance(error, SettingsRefused):
        return f"This cannot run as it is set up: {error}."
    if isinstance(error, PostgresRefused | StateRefused | StorageFault | Unreachable):
        return str(error)
    return unreachable.sentence(error)
