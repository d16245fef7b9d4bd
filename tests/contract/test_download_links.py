"""Download links, the one way in without a key: the link itself is the credential."""

from __future__ import annotations

import psycopg
from tests.contract import identity
from tests.contract.fixtures import Strangers
from tests.contract.maker import send
from tests.contract.recipes import KEYLESS, RECIPES
from tests.contract.snapshot import changed, snapshot


async def test_links_are_all_that_is_keyless(strangers: Strangers) -> None:
    asks = {name: await RECIPES[name](strangers.owner) for name in KEYLESS}
    assert {name for name, ask in asks.items() if ask.keyless} == {"openDownload"}


async def test_a_download_link_opens_once_and_its_document_only(strangers: Strangers) -> None:
    """The link is the credential: made up, changed, used or expired it is not there, in one answer."""
    owner = strangers.owner
    ask = await RECIPES["openDownload"](owner)
    token = ask.path.rsplit("/", 1)[-1]
    async with owner.world.client(None, app=owner.app) as anybody:
        absent = []
        for place in (0, 5, len(token) // 2, len(token) - 3):
            other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            absent.append(await anybody.get(f"/v1/downloads/{other}"))
        absent.append(await anybody.get("/v1/downloads/" + "A" * len(token)))
        absent.append(await anybody.get("/v1/downloads/x"))
        good = await anybody.get(ask.path)
        assert good.status_code == 200
        assert good.content
        absent.append(await anybody.get(ask.path))  # used up
        late = await RECIPES["openDownload"](owner)
        with psycopg.connect(owner.admin_dsn) as admin:
            admin.execute("UPDATE app.document_link SET expires_at = clock_timestamp() WHERE used_at IS NULL")
        absent.append(await anybody.get(late.path))
        assert {each.status_code for each in absent} == {404}
        assert len({identity.masked(each, ask)[:2] for each in absent}) == 1


async def test_a_link_opens_with_any_key_or_none_for_its_own_tenant_alone(strangers: Strangers) -> None:
    """A key beside it changes nothing: neither widens nor narrows what the link opens."""
    owner = strangers.owner
    ask = await RECIPES["openDownload"](owner)
    before = snapshot(owner.admin_dsn, strangers.other_firm.tenant.facts.id)
    answer = await send(strangers.other_firm.http, ask)
    assert answer.status_code == 200
    assert changed(before, snapshot(owner.admin_dsn, strangers.other_firm.tenant.facts.id)) == []
