"""`payroll tables`: what law is known, since when, from which source, verified or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from backoffice.payroll.calc import STATES, Tables
from backoffice.payroll.calc.law import FOLDER
from backoffice.payroll.cli import payroll
from backoffice.payroll.known_law import known_law


def tables(*options: str) -> Result:
    return CliRunner().invoke(payroll, ["tables", *options])


def test_every_jurisdiction_stands_in_the_summary_with_what_is_known() -> None:
    told = tables()
    assert told.exit_code == 0
    rows = {line[:2]: line for line in told.output.splitlines()}
    law = Tables.load()
    for state in STATES:
        known = (state, 2026) in law.states and bool(law.states[state, 2026].withholding)
        assert ("not known yet" in rows[state]) is (law.has_income_tax(state) and not known), state
        assert ("no income tax on wages" in rows[state]) is not law.has_income_tax(state), state
    federal = [line for line in told.output.splitlines() if line.startswith("US ")]
    assert [line.split()[3] for line in federal] == [str(year) for year in law.federal.years]


def test_the_versions_are_those_that_stand_on_results_and_every_entry_has_its_source() -> None:
    law = known_law()
    versions = Tables.load().versions()
    assert {entry.table: entry.version for entry in law.entries if entry.table in versions} == versions
    for entry in law.entries:
        assert entry.source or entry.citation, entry
        assert entry.jurisdiction in law.names, entry
    states = [entry for entry in law.entries if entry.what == "unemployment: wage base"]
    assert {entry.jurisdiction for entry in states} == set(STATES)


def test_one_jurisdiction_whole() -> None:
    told = tables("ny")
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert lines[0] == "New York (NY): taxes wages"
    assert "withholding, method ny_exact: since 2026-01-01 until 2026-12-31; verified" in lines
    assert any(line.startswith("programmes NY_PFL: ") for line in lines)
    assert any(line.startswith("    law: New York Tax Law 671") for line in lines)
    body = json.loads(tables("NY", "--json").output)
    assert {entry["jurisdiction"] for entry in body["known"]} == {"NY"}
    assert body["jurisdictions"] == [
        {"code": "NY", "name": "New York", "taxes_wages": True, "withholding_known": [2026]}
    ]  # fmt: skip
    assert body["tables"]["us_ny_2026"] == Tables.load().versions()["us_ny_2026"]
    assert len(json.loads(tables("--json").output)["jurisdictions"]) == len(STATES) + 1
    refused = tables("ZZ")
    assert (refused.exit_code, "ZZ is no jurisdiction" in refused.output) == (2, True)


def test_a_new_table_is_listed_by_being_there_with_what_the_parts_around_it_say(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "us_jurisdictions.toml", tmp_path)
    (tmp_path / "us_garden_tax_2026.toml").write_text(
        '[meta]\nname = "us_garden_tax_2026"\njurisdiction = "US"\nyear = 2026\nversion = "2026.1"\n'
        '[flowers]\nsource = "a guide"\nverified = false\nrate = "0.01"\n'
        '[flowers.TX]\ncitation = "Tex. Garden Code 1"\neffective_from = 2026-07-01\n'
    )
    whole, texas = [entry for entry in known_law(tmp_path).entries if entry.table == "us_garden_tax_2026"][::-1]
    assert (whole.what, whole.jurisdiction, whole.since, whole.until) == (
        "garden tax: flowers", "US", "2026-01-01", "2026-12-31",
    )  # fmt: skip
    assert (texas.what, texas.jurisdiction, texas.since, texas.until) == (
        "garden tax: flowers",
        "TX",
        "2026-07-01",
        None,
    )
    assert (texas.verified, texas.source, texas.citation) == (False, "a guide", "Tex. Garden Code 1")
    assert "garden tax: flowers: since 2026-07-01; NOT VERIFIED" in known_law(tmp_path).as_text("TX")
