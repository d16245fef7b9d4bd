"""Keys as one API process remembers them: kept for a moment, dropped when a revocation is announced, their use noted
(tenancy and security §5)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.contract.maker import MAKER, Maker

from backoffice.platform.crypto import Peppers
from backoffice.platform.web.authenticate import Authenticator
from backoffice.platform.web.problems import Unauthorized


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def authenticator(maker: Maker, clock: Clock | None = None, peppers: Peppers | None = None) -> Authenticator:
    runtime = maker.world.runtime
    return Authenticator(runtime.db, peppers or runtime.peppers, keep=5.0, clock=clock or Clock())


async def new_key(maker: Maker) -> tuple[dict[str, Any], str]:
    """(the key as shown, the header that presents it)"""
    made = await maker.post("/v1/api_keys", {"name": "kept", "scopes": ["tenant:read"]})
    return made, f"Bearer {made['secret']}"


async def last_used(maker: Maker, key: dict[str, Any]) -> str | None:
    found: str | None = (await maker.get(f"/v1/api_keys/{key['id']}"))["last_used_at"]
    return found


async def end(maker: Maker, key: dict[str, Any]) -> None:
    await maker.post(f"/v1/api_keys/{key['id']}/revoke", {}, if_match=1)


async def test_the_use_of_a_key_is_noted_and_of_no_other(maker: Maker) -> None:
    opened = authenticator(maker)
    (used, header), (idle, _) = await new_key(maker), await new_key(maker)
    await opened.principal(header)
    assert await last_used(maker, used) is None  # together with others', every ten seconds
    await opened.note_use()
    noted = await last_used(maker, used)
    assert noted is not None
    assert await last_used(maker, idle) is None
    await opened.note_use()
    assert await last_used(maker, used) == noted  # not used since
    await opened.principal(header)  # from memory this time
    await opened.note_use()
    assert (await last_used(maker, used) or "") > noted


async def test_the_use_of_a_key_that_is_stored_under_an_older_pepper_is_noted(maker: Maker) -> None:
    stored = maker.world.runtime.peppers
    turned = Peppers({**stored._versions, stored.current + 1: secrets.token_bytes(32)})
    opened = authenticator(maker, peppers=turned)
    used, header = await new_key(maker)
    for _ in range(2):  # from the database, then from memory
        before = await last_used(maker, used)
        await opened.principal(header)
        await opened.note_use()
        assert await last_used(maker, used) != before


async def test_a_key_is_kept_for_five_seconds_and_no_longer(maker: Maker) -> None:
    """Nobody listens for announcements here: what is kept is all there is to go by."""
    clock = Clock()
    opened = authenticator(maker, clock)
    key, header = await new_key(maker)
    await opened.principal(header)
    await end(maker, key)
    clock.now = 4.9
    assert (await opened.principal(header)).key_id is not None
    clock.now = 5.1
    with pytest.raises(Unauthorized):
        await opened.principal(header)


@asynccontextmanager
async def listening(maker: Maker, opened: Authenticator) -> AsyncIterator[None]:
    task = asyncio.create_task(opened.stay_current(maker.world.runtime.settings.dsn("bo_app")))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_revocation_is_heard_at_once(maker: Maker) -> None:
    """The clock stands still, so nothing but the announcement can have emptied what is kept."""
    opened = authenticator(maker)
    kept = f"Bearer {maker.keys[MAKER]}"
    key, header = await new_key(maker)
    async with listening(maker, opened):
        await asyncio.sleep(0.2)  # the line is up
        await opened.principal(kept)
        await opened.principal(header)
        await end(maker, key)
        for _ in range(200):
            if not opened._known:
                break
            await asyncio.sleep(0.01)
        with pytest.raises(Unauthorized):
            await opened.principal(header)
        assert (await opened.principal(kept)).key_id is not None
