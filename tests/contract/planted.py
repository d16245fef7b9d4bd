"""Handlers with a mistake in them, for tests that must turn red over it."""

from __future__ import annotations

from typing import Any

from litestar.params import FromPath

from backoffice.platform.web.routes import InTx
from backoffice.staffing import queries as staffing


async def nothing(tx: InTx) -> None:
    """Nothing."""


def remembering() -> Any:
    """A handler that knows an object by its id alone once it has read it: queries and walls are whole, and it gives
    one tenant's object to another."""
    remembered: dict[str, Any] = {}

    async def card(tx: InTx, client_id: FromPath[str]) -> dict[str, Any]:
        """A client, from memory where it has been read before."""
        if client_id not in remembered:
            found = await staffing.client(tx, client_id)
            remembered[client_id] = {"id": found.id, "name": found.name}
        told: dict[str, Any] = remembered[client_id]
        return told

    return card
