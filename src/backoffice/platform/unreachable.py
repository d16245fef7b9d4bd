"""What a driver raises when a process cannot get to its database at its start, as one sentence that says what to do."""

from __future__ import annotations

import socket

import asyncpg
import psycopg
from sqlalchemy.exc import DBAPIError

from backoffice.platform.connections import CLOSED
from backoffice.platform.db import Unavailable

_LOGIN = ("28000", "28P01")  # invalid authorization, invalid password
_NO_DATABASE = "3D000"
_DISK_FULL = "53100"
_NOT_SET_UP = ("42P01", "3F000", "42883")  # no such table, schema, function


def sentence(error: BaseException) -> str | None:
    """The sentence, or None when the error is about something else."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return sentence(error.orig)
    state = getattr(error, "sqlstate", None)
    if state in _LOGIN or (isinstance(error, psycopg.OperationalError) and "authentication failed" in str(error)):
        return (
            "The database refuses the login: check the BACKOFFICE_PASSWORD_… settings, or make the roles with "
            "`backoffice db setup`."
        )
    if state == _NO_DATABASE or (isinstance(error, psycopg.OperationalError) and "does not exist" in str(error)):
        return "The server has no such database: make it with `backoffice db setup`, or check BACKOFFICE_DATABASE_URL."
    if state == _DISK_FULL:
        return "The disk that holds the database is full: free some space there and start again; nothing was changed."
    if state in _NOT_SET_UP:
        return "The database lacks the newest schema: run `backoffice db migrate`."
    gone = (asyncpg.PostgresConnectionError, *CLOSED, psycopg.OperationalError, Unavailable)
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return "The database takes no more connections: lower BACKOFFICE_POOL_SIZE, or raise its max_connections."
    if isinstance(error, gone) or _of_a_socket(error):
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return (
            f"The database cannot be reached ({reason}): check that it runs and that BACKOFFICE_DATABASE_URL is right."
        )
    return None


def _of_a_socket(error: BaseException) -> bool:
    """What asyncio raises for an address that does not answer; a pipe that the reader has closed is none."""
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return not isinstance(error, BrokenPipeError)
    return type(error) is OSError  # "Multiple exceptions", one for each address of a name


def must_answer(dsn: str) -> None:
    """Raises what `sentence` tells when the database does not answer within 5 s."""
    psycopg.connect(dsn, connect_timeout=5).close()
