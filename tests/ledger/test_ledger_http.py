"""The ledger over HTTP: reads, filters, pages, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from backoffice.kernel import ids
from backoffice.ledger.commands import Account, Line, Posting, ensure_accounts, post, reverse

if TYPE_CHECKING:
    import httpx
    from tests.world import Firm, World

DAY = date(2026, 11, 20)
SOURCE = "pchk_" + "0" * 25 + "1"
READER = "dana-whitfield"
CASH = Account("assets.cash", "Payroll cash", "asset")
WAGES = Account("expenses.wages", "Wages", "expense", facts={"unit": "CA"})


@asynccontextmanager
async def books(world: World) -> AsyncIterator[tuple[Firm, httpx.AsyncClient]]:
    """A firm with three payments and one that came back, and a client that may read them."""
    firm = await world.firm()
    async with world.tx(firm.test) as tx:
        await ensure_accounts(tx, [CASH, WAGES])
        postings = [
            Posting(
                f"pay:{number}",
                DAY + timedelta(days=number),
                "Wages paid",
                (Line(WAGES.code, 100 * number), Line(CASH.code, -100 * number, memo="net")),
                source=SOURCE if number == 2 else None,
            )
            for number in (1, 2, 3)
        ]
        posted = await post(tx, postings)
        await reverse(
            tx, posted["pay:2"], key="pay:2:back", effective_date=DAY + timedelta(days=9), description="Returned"
        )
    async with world.client(firm.test.keys[READER]) as http:
        yield firm, http


async def read(http: httpx.AsyncClient, path: str, **query: str | int) -> Any:
    answer = await http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_accounts(world: World) -> None:
    async with books(world) as (_, http):
        listed = (await read(http, "/v1/ledger_accounts", sort="code"))["data"]
        assert [(each["code"], each["normal_side"]) for each in listed] == [
            ("assets.cash", "debit"),
            ("expenses.wages", "debit"),
        ]
        assert (await read(http, "/v1/ledger_accounts", kind="expense"))["data"] == listed[1:]
        one = await http.get(f"/v1/ledger_accounts/{listed[1]['id']}")
        assert one.json() == listed[1]
        assert one.headers["etag"] == '"v1"'
        assert listed[1]["facts"] == {"unit": "CA"}
        assert (listed[1]["object"], listed[1]["livemode"]) == ("ledger_account", False)


async def test_transactions_and_their_entries(world: World) -> None:
    async with books(world) as (_, http):
        listed = (await read(http, "/v1/ledger_transactions", source=SOURCE, sort="posted_at"))["data"]
        first, back = sorted(listed, key=lambda each: each["key"])
        assert (first["reversed_by"], back["reverses"]) == (back["id"], first["id"])
        assert "entries" not in first
        whole = await read(http, f"/v1/ledger_transactions/{back['id']}")
        told = [(e["line"], e["side"], e["amount"]["amount"], e["memo"], e["effective_date"]) for e in whole["entries"]]
        assert told == [(1, "credit", "2.00", None, "2026-11-29"), (2, "debit", "2.00", "net", "2026-11-29")]
        assert whole["posted_by"] == "system:test"
        dated = await read(http, "/v1/ledger_transactions", **{"effective_date[gte]": "2026-11-23"})
        assert sorted(each["key"] for each in dated["data"]) == ["pay:2:back", "pay:3"]


async def test_entries_by_account_transaction_source_and_day(world: World) -> None:
    async with books(world) as (_, http):
        everything = await read(http, "/v1/ledger_entries", limit=1000, include="total_count")
        assert (len(everything["data"]), everything["total_count"], everything["has_more"]) == (8, 8, False)
        caused = await read(http, "/v1/ledger_entries", source=SOURCE, include="total_count")
        assert (len(caused["data"]), caused["total_count"]) == (4, 4)
        cash = next(e for e in everything["data"] if e["memo"] == "net")["account_id"]
        upto = await read(http, "/v1/ledger_entries", account_id=cash, **{"effective_date[lte]": "2026-11-22"})
        assert sorted(each["amount"]["amount"] for each in upto["data"]) == ["1.00", "2.00"]
        transaction = everything["data"][0]["transaction_id"]
        assert len((await read(http, "/v1/ledger_entries", transaction_id=transaction))["data"]) == 2
        assert (await read(http, "/v1/ledger_entries", transaction_id="ltx_" + "0" * 26))["data"] == []
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            page = await read(http, "/v1/ledger_entries", limit=3, sort="effective_date", **cursor)
            seen += [each["id"] for each in page["data"]]
            cursor = {"cursor": str(page["next_cursor"])}
        assert page["has_more"] is False
        assert sorted(seen) == sorted(each["id"] for each in everything["data"])
        refused = await http.get("/v1/ledger_entries", params={"limit": 1001})
        assert refused.status_code == 400


async def test_the_trial_balance(world: World) -> None:
    async with books(world) as (_, http):
        whole = await read(http, "/v1/trial_balance")
        assert [(line["code"], line["balance"]["amount"]) for line in whole["data"]] == [
            ("assets.cash", "-4.00"),
            ("expenses.wages", "4.00"),
        ]
        usd = {"amount": "8.00", "currency": "USD"}
        assert whole["totals"] == [{"debits": usd, "credits": usd}]
        early = await read(http, "/v1/trial_balance", as_of="2026-11-22")
        assert [line["debits"]["amount"] for line in early["data"]] == ["0.00", "3.00"]
        assert early["as_of"] == "2026-11-22"
        refused = await http.get("/v1/trial_balance", params={"as_of": "yesterday"})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["parameter"] == "as_of"


async def test_others_see_nothing(world: World) -> None:
    async with books(world) as (firm, http):
        account = (await read(http, "/v1/ledger_accounts"))["data"][0]["id"]
        transaction = (await read(http, "/v1/ledger_transactions"))["data"][0]["id"]
        async with world.client(firm.live.keys[READER]) as other:
            for collection, id_ in (("ledger_accounts", account), ("ledger_transactions", transaction)):
                assert (await read(other, f"/v1/{collection}"))["data"] == []
                foreign = await other.get(f"/v1/{collection}/{id_}")
                kind = collection.removesuffix("s")
                absent = await other.get(f"/v1/{collection}/{ids.encode(kind, firm.test.facts.id)}")
                assert (foreign.status_code, absent.status_code) == (404, 404)
            assert (await read(other, "/v1/ledger_entries", account_id=account))["data"] == []
            assert (await read(other, "/v1/ledger_entries", source=SOURCE))["data"] == []
            assert (await read(other, "/v1/trial_balance"))["data"] == []
        narrow = await world.key(firm.test, READER, scopes=frozenset({"workers:read"}))
        async with world.client(narrow) as reader:
            assert (await reader.get("/v1/trial_balance")).status_code == 403
