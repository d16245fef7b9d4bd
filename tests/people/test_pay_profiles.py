"""What payroll is told of many workers at once."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from tests.world import ROOT, World

from backoffice.accounts import queries as accounts
from backoffice.people import commands, csv_files, queries
from backoffice.people.schemas import Address, CreateTaxElection, CreateWorker, StateCertificate
from backoffice.platform.crypto import Cell
from backoffice.platform.tx import Tx

ON = date(2026, 11, 20)
NO_ACCOUNT = ["NW-0023"]


async def imported(tx: Tx) -> dict[str, UUID]:
    """Northwind's workers from its folder."""
    content = (ROOT / "tenants" / "northwind-staffing" / "workers.csv").read_bytes()
    parsed = csv_files.parse_workers(content)
    applied = await commands.upsert_workers(tx, parsed.rows)
    assert applied.faults == []
    assert {each.outcome for each in applied.outcomes} == {"created"}
    return await queries.worker_ids(tx, [row.record.external_id for row in parsed.rows])


async def test_what_the_folder_says_is_what_payroll_is_told(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        found = await imported(tx)
        profiles = await queries.pay_profiles(tx, list(found.values()), ON)
        assert len(profiles) == 60
        first = profiles[found["NW-0001"]]
        assert first.full_name == "Małgorzata Wójcik-Łódzka"
        assert (first.number, first.ssn_last4, first.address.state, first.birth_date_on_file) == (
            1001,
            "2373",
            "CA",
            True,
        )
        assert (first.federal.version, first.federal.filing_status) == ("2020_or_later", "single")
        assert (first.states["CA"].status, first.states["CA"].allowances) == ("single", 1)
        assert first.opening.social_security_wages == 3_963_665
        assert first.opening.state_wages == {"CA": 3_963_665}
        assert first.opening.futa_wages == 700_000
        assert first.employment is not None
        assert first.employment.hired_on == date(2024, 3, 11)
        assert first.bank_account is not None
        cipher = await tx.cipher()
        number = cipher.open(
            Cell("bank_account", "account", first.bank_account.id),
            first.bank_account.account_sealed,
            purpose="pay_file",
        )
        assert (first.bank_account.routing_number, number, first.bank_account.kind) == (
            "990100023",
            "9265207137",
            "checking",
        )
        older = profiles[found["NW-0004"]]
        assert (older.federal.version, older.federal.allowances) == ("2019_or_earlier", 2)
        assert [each.external_id for each in profiles.values() if each.bank_account is None] == NO_ACCOUNT
        weekly = await accounts.pay_schedule(tx, "weekly")
        assert weekly is not None
        on_it = await queries.workers_on_schedule(tx, weekly.id, date(2026, 11, 9), date(2026, 11, 15))
        assert set(on_it) == set(found.values())
        assert await queries.workers_on_schedule(tx, weekly.id, date(2000, 1, 1), date(2000, 1, 7)) == []


async def test_the_number_of_statements_does_not_grow_with_the_workers(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        found = list((await imported(tx)).values())
        few = await counted(tx, found[:1])
        assert await counted(tx, found) == few <= 8


async def counted(tx: Tx, found: list[UUID]) -> int:
    statements = []

    def note(query: Any) -> None:
        statements.append(query.query)

    with tx.connection.query_logger(note):
        await queries.pay_profiles(tx, found, ON)
    return len(statements)


async def test_nothing_on_file_is_a_known_default(world: World) -> None:
    firm = await world.firm(keys=False)
    address = {"line1": "1 Road", "city": "Dallas", "state": "TX", "postal_code": "75201"}
    async with world.tx(firm.test) as tx:
        made = await commands.create_worker(tx, CreateWorker(first_name="A", last_name="B", address=Address(**address)))
        id_ = await queries.worker_id(tx, made.id)
        profile = (await queries.pay_profiles(tx, [id_], ON))[id_]
    assert profile.federal.id is None
    assert (profile.federal.version, profile.federal.filing_status, profile.federal.step3) == (
        "2020_or_later",
        "single",
        0,
    )
    assert (profile.states, profile.bank_account, profile.employment, profile.opening.gross) == ({}, None, None, 0)


async def test_the_certificate_in_force_on_the_day_counts(world: World) -> None:
    firm = await world.firm(keys=False)
    address = Address(line1="1 Road", city="Fresno", state="CA", postal_code="93721")
    async with world.tx(firm.test) as tx:
        made = await commands.create_worker(tx, CreateWorker(first_name="A", last_name="B", address=address))
        for effective, allowances in ((date(2026, 6, 1), 2), (date(2026, 1, 1), 1), (date(2026, 6, 1), 3)):
            data = CreateTaxElection(
                jurisdiction="CA",
                effective_from=effective,
                state_certificate=StateCertificate(allowances=allowances),
            )
            await commands.create_tax_election(tx, made.id, data)
        id_ = await queries.worker_id(tx, made.id)

        async def on(day: date) -> int | None:
            states = (await queries.pay_profiles(tx, [id_], day))[id_].states
            return states["CA"].allowances if "CA" in states else None

        assert await on(date(2025, 12, 31)) is None
        assert await on(date(2026, 5, 31)) == 1
        assert await on(date(2026, 6, 1)) == 3


async def test_another_tenant_s_workers_are_left_out(world: World) -> None:
    mine, other = await world.firm(keys=False), await world.firm(keys=False)
    async with world.tx(mine.test) as tx:
        found = await imported(tx)
    async with world.tx(other.test) as tx:
        assert await queries.pay_profiles(tx, list(found.values()), ON) == {}
        assert await queries.worker_ids(tx, ["NW-0001"]) == {}
