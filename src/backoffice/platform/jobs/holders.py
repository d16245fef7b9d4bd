"""Who holds which job at this moment: for the operator, as `bo_dispatch`, who sees where jobs are and never what is in
them."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg

_RUNNING = "SELECT id, state, worker, attempt, crashes FROM app.job WHERE state = 'running' AND kind = %(kind)s"
_ONE = "SELECT id, state, worker, attempt, crashes FROM app.job WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class Holding:
    """A job and the worker process that holds it, or held it last (`host:pid`)."""

    job_id: UUID
    state: str
    worker: str | None
    attempt: int
    crashes: int


class Holders:
    """One connection, for as long as somebody watches."""

    def __init__(self, dsn: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True, connect_timeout=5)

    def running(self, kind: str) -> list[Holding]:
        """Jobs of a kind that are running."""
        return [Holding(*row) for row in self._connection.execute(_RUNNING, {"kind": kind}).fetchall()]

    def job(self, job_id: UUID) -> Holding | None:
        """One job of any tenant; None when there is none."""
        row = self._connection.execute(_ONE, {"id": job_id}).fetchone()
        return None if row is None else Holding(*row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
