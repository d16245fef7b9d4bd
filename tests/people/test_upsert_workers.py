"""`workers.upsert`: a row makes or updates one worker, and is refused as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tests.world import ROOT, World

from backoffice.kernel.csv_rows import CsvRow
from backoffice.people import commands, csv_files, queries
from backoffice.people.csv_files import WorkerRow
from backoffice.platform.bulk import Applied
from backoffice.platform.tx import Tx

PAYDAY = date(2026, 11, 20)
HEADER, *LINES = (ROOT / "tenants" / "northwind-staffing" / "workers.csv").read_text(encoding="utf-8").splitlines()


def rows(*lines: str) -> Sequence[CsvRow[WorkerRow]]:
    parsed = csv_files.parse_workers("\n".join([HEADER, *lines]))
    assert parsed.faults == ()
    return parsed.rows


def outcomes(applied: Applied) -> list[str]:
    assert applied.faults == []
    return [each.outcome for each in applied.outcomes]


async def upsert(tx: Tx, *lines: str) -> Applied:
    return await commands.upsert_workers(tx, rows(*lines))


async def test_the_same_file_twice_changes_nothing(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        assert outcomes(await upsert(tx, *LINES[:5])) == ["created"] * 5
        told = len(tx.emitted)
        assert outcomes(await upsert(tx, *LINES[:5])) == ["unchanged"] * 5
        assert len(tx.emitted) == told


async def test_only_what_differs_is_told(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        await upsert(tx, LINES[0])
        tx.emitted.clear()
        moved = LINES[0].replace("187 Placeholder Road", "9 Other Road")
        assert outcomes(await upsert(tx, moved)) == ["updated"]
        assert [emitted.kind.name for emitted in tx.emitted] == ["worker.updated"]
        tx.emitted.clear()
        account = moved.replace("9265207137", "1111222233")
        assert outcomes(await upsert(tx, account)) == ["updated"]
        assert [emitted.kind.name for emitted in tx.emitted] == ["bank_account.closed", "bank_account.created"]
        tx.emitted.clear()
        election = account.replace(",2020_or_later,single,", ",2020_or_later,married_filing_jointly,")
        assert outcomes(await upsert(tx, election)) == ["updated"]
        assert [emitted.kind.name for emitted in tx.emitted] == ["tax_election.created"]


async def test_what_was_paid_to_programmes_comes_with_the_year_and_stays_when_a_file_is_silent(world: World) -> None:
    firm = await world.firm(keys=False)
    line = next(line for line in LINES if line.startswith("NW-0024,"))
    with_programmes = [f"{HEADER},ytd_programmes", f"{line},NY_PFL=406.85;NY_DBL=27.60"]

    async def upserted(tx: Tx, *given: str) -> str:
        parsed = csv_files.parse_workers("\n".join(given))
        assert parsed.faults == ()
        return outcomes(await commands.upsert_workers(tx, parsed.rows))[0]

    async with world.tx(firm.test) as tx:

        async def paid() -> dict[str, tuple[int, int]]:
            [worker] = (await queries.worker_ids(tx, ["NW-0024"])).values()
            profile = (await queries.pay_profiles(tx, [worker], PAYDAY))[worker]
            assert profile.opening.state_wages == {"NY": 9_418_000}
            return profile.opening.programmes

        assert await upserted(tx, *with_programmes) == "created"
        told = {"NY_PFL": (9_418_000, 40_685), "NY_DBL": (9_418_000, 2_760)}
        assert await paid() == told
        assert await upserted(tx, *with_programmes) == "unchanged"
        assert await upserted(tx, HEADER, line) == "unchanged"
        assert await paid() == told
        assert await upserted(tx, with_programmes[0], f"{line},NY_PFL=406.86") == "updated"
        assert await paid() == {"NY_PFL": (9_418_000, 40_686)}


async def test_a_refused_row_leaves_nothing_and_says_why(world: World) -> None:
    firm = await world.firm(keys=False)
    bad = LINES[1].replace("902-24-3746", "123-45-6789").replace(",weekly,", ",fortnightly,")
    twin = LINES[2].replace("903-31-5119", "901-17-2373")  # the number of the first worker
    async with world.tx(firm.test) as tx:
        assert outcomes(await upsert(tx, LINES[0])) == ["created"]
        applied = await upsert(tx, bad, twin, LINES[3])
        assert [(each.number, each.outcome) for each in applied.outcomes] == [(4, "created")]
        assert [(fault.row, fault.column, fault.code) for fault in applied.faults] == [
            (2, "ssn", "ssn_area_not_accepted"),
            (2, "pay_schedule", "unknown_pay_schedule"),
            (3, "ssn", "already_in_use"),
        ]
        assert "6789" not in str(applied.faults)
        assert set(await queries.worker_ids(tx, ["NW-0001", "NW-0002", "NW-0003", "NW-0004"])) == {"NW-0001", "NW-0004"}
        about = {emitted.object_id for emitted in tx.emitted if emitted.kind.name == "worker.created"}
        assert len(about) == 2


async def test_another_hire_date_is_refused_while_the_employment_lasts(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        await upsert(tx, LINES[0])
        applied = await upsert(tx, LINES[0].replace(",2024-03-11,Warehouse", ",2025-03-11,Warehouse"))
        assert [(fault.column, fault.code) for fault in applied.faults] == [("hire_date", "employment_open")]


async def test_an_older_certificate_does_not_replace_a_newer_one(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        await upsert(tx, LINES[0])
        older = LINES[0].replace(",2024-03-11,CA,", ",2023-03-11,CA,")
        applied = await upsert(tx, older)
        assert [(fault.column, fault.code) for fault in applied.faults] == [("w4_signed_on", "older_than_on_file")]


async def test_a_certificate_of_the_file_is_held_against_its_states_law(world: World) -> None:
    firm = await world.firm(keys=False)
    heads = f"{HEADER},state_certificate_elected_rate,state_certificate_exempt"
    assert ",CA,single," in LINES[0]

    async def put(tx: Tx, line: str) -> Applied:
        parsed = csv_files.parse_workers(f"{heads}\n{line}")
        assert parsed.faults == ()
        return await commands.upsert_workers(tx, parsed.rows)

    async with world.tx(firm.test) as tx:
        applied = await put(tx, LINES[0].replace(",CA,single,", ",CA,jointly,") + ",0.02,")
        assert [(fault.column, fault.code) for fault in applied.faults] == [
            ("state_certificate_status", "unknown_status"),
            ("state_certificate_elected_rate", "unknown_field"),
        ]
        assert outcomes(await put(tx, LINES[0] + ",,true")) == ["created"]
        assert outcomes(await put(tx, LINES[0] + ",,true")) == ["unchanged"]
        [worker] = (await queries.worker_ids(tx, ["NW-0001"])).values()
        assert (await queries.pay_profiles(tx, [worker], PAYDAY))[worker].states["CA"].exempt


async def test_a_live_tenant_takes_no_number_of_the_folder(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.live) as tx:
        applied = await upsert(tx, *LINES[:3])
        assert applied.outcomes == []
        assert {fault.code for fault in applied.faults} == {"ssn_area_not_accepted"}
