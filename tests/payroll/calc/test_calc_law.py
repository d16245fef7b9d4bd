"""Our dated law: where it comes from, which version is chosen, what it refuses, and that a broken table is told."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.kernel.errors import Fault, ValidationFailed
from backoffice.payroll import calc
from backoffice.payroll.calc import (
    W4,
    Columns,
    Paycheck,
    StateCertificate,
    Tables,
    Work,
    gross_to_net,
)

FOLDER = Path(calc.__file__).parent / "tables"
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "payroll"
TEXTS = {name: (FOLDER / f"{name}.toml").read_bytes() for name in Tables.load().versions()}
LAW = {name: tomllib.loads(content.decode()) for name, content in TEXTS.items()}
needs_reference = pytest.mark.skipif(
    not (REFERENCE / "us_states_2026.toml").exists(), reason="the reference figures are not beside the project"
)
OUR_NAMES = {"semiannually": "semiannual", "annually": "annual", "married_joint": "married_filing_jointly",
             "married_jointly": "married_filing_jointly", "married_separate": "married_filing_separately"}  # fmt: skip


def reference(name: str) -> dict[str, Any]:
    return tomllib.loads((REFERENCE / name).read_text(), parse_float=Decimal)


def sections(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        yield path, part
        for key, value in part.items():
            yield from sections(value, f"{path}/{key}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from sections(value, f"{path}/{index}")


def test_every_rate_and_amount_is_exact_text_and_has_a_source() -> None:
    for name, document in LAW.items():
        assert document["meta"]["name"] == name
        for path, section in sections(document):
            for key, value in section.items():
                assert not isinstance(value, float), f"{name}{path}/{key} is a binary float"
            if "verified" in section:
                assert section.get("source"), f"{name}{path} has no source"
        for kind in ("withholding", "programmes"):
            listed = document.get(kind, [])
            for entry in [listed] if isinstance(listed, dict) else listed:
                assert entry["source"], name
                assert entry["citation"], name
                assert isinstance(entry["verified"], bool), name


@needs_reference
@pytest.mark.parametrize("year", [2025, 2026])
def test_federal_values_are_those_of_the_reference(year: int) -> None:
    theirs, ours = reference("us_federal_2026.toml"), LAW[f"us_federal_{year}"]
    tables = theirs["withholding"]["tables"][f"y{year}"]
    for kind in ("standard", "step2_checkbox"):
        for status in ("single", "married_jointly", "head_of_household"):
            rows = ours["withholding"][kind][OUR_NAMES.get(status, status)]
            assert [(Decimal(r["from"]), Decimal(r["base"]), Decimal(r["rate"]) * 100) for r in rows] == [
                (start, Decimal(base), percent) for start, _, base, percent in tables[f"{kind}_{status}"]
            ]
    assert Decimal(ours["withholding"]["allowance"]) == tables["allowance"]
    assert Decimal(ours["withholding"]["line_1g_other"]) == tables["line_1g"]["all_other"]
    assert Decimal(ours["withholding"]["line_1g_married_filing_jointly"]) == tables["line_1g"]["married_jointly"]
    fica = theirs["fica"]
    assert Decimal(ours["social_security"]["wage_base"]) == fica[f"wage_base_{year}"]
    assert Decimal(ours["social_security"]["employee_rate"]) * 100 == Decimal(fica["social_security_percent_employee"])
    assert Decimal(ours["medicare"]["employer_rate"]) * 100 == Decimal(fica["medicare_percent_employer"])
    assert Decimal(ours["additional_medicare"]["threshold"]) == fica["additional_medicare_withholding_threshold"]
    assert Decimal(ours["futa"]["employer_rate"]) * 100 == Decimal(theirs["futa"]["net_percent"])
    alien, nonresident = ours["withholding"]["nonresident_alien"], theirs["withholding"]["nonresident_alien"]
    assert alien["verified"] is (year == 2026)
    if year == 2026:
        for form, table in (
            ("2020_or_later", "table_2_form_2020_or_later_or_first_paid_2020_or_later"),
            ("2019_or_earlier", "table_1_first_paid_before_2020_and_no_newer_form"),
        ):
            assert alien[form] == nonresident[table]
    else:
        periods = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "quarterly": 4, "semiannual": 2,
                   "annual": 1, "daily": 260}  # fmt: skip
        for form, annual in (("2020_or_later", 15_000), ("2019_or_earlier", 10_700)):
            for frequency, number in periods.items():
                dimes = (Decimal(annual) / number).quantize(Decimal("0.1"), ROUND_HALF_UP)
                assert Decimal(alien[form][frequency]) == dimes


@needs_reference
@pytest.mark.parametrize("state", ["CA", "NY", "IL", "PA", "AK", "NV", "WA"])
def test_state_values_are_those_of_the_reference(state: str) -> None:
    theirs, ours = reference("us_states_2026.toml")["states"][state], LAW[f"us_{state.lower()}_2026"]
    for their_version, version in zip(theirs.get("withholding", []), ours.get("withholding", []), strict=True):
        for key in ("effective_from", "effective_to", "effective_basis", "method"):
            assert version.get(key) == their_version.get(key)
        assert Decimal(version["round_to"]) == their_version["rounding"]["to"]
        for status, own in their_version.get("status_map", {}).items():
            assert version["status_of"][OUR_NAMES.get(status, status)] == own
        for key in ("allowance", "secondary_allowance", "rate"):
            assert Decimal(version.get(key, 0)) == their_version.get(key, 0)
        assert same(version.get("brackets", {}), their_version.get("brackets", {}))
        assert same(version.get("method_iii", {}), their_version.get("method_iii", {}), skip={"columns"})
        periods = {OUR_NAMES.get(name, name): period for name, period in their_version.get("period", {}).items()}
        assert same(version.get("period", {}), periods)
    programmes = {programme["code"]: programme for programme in theirs.get("other_taxes", [])}
    ours_by_code = {programme["code"]: programme for programme in ours.get("programmes", [])}
    left_out = {programme["code"] for programme in ours.get("not_per_paycheck", [])}
    assert set(programmes) == set(ours_by_code) | left_out
    for code, programme in ours_by_code.items():
        theirs_there = programmes[code]
        assert programme["payer"] == theirs_there["payer"]
        for key in ("rate", "annual_max", "weekly_max", "employee_share"):
            assert Decimal(programme.get(key, 0)) == theirs_there.get(key, 0)
        base = theirs_there["wage_base"]
        assert Decimal(programme.get("wage_base", 0)) == (0 if base == "none" else base)


@needs_reference
def test_jurisdictions_and_unemployment_bases_are_those_of_the_reference() -> None:
    for code, theirs in reference("us_states_2026.toml")["states"].items():
        ours = LAW["us_jurisdictions"]["states"][code]
        assert (ours["name"], ours["income_tax"]) == (theirs["name"], theirs["income_tax_kind"] != "none")
        base = LAW["us_unemployment_2026"]["wage_base"][code]
        assert Decimal(base["amount"]) == theirs["sui"]["wage_base"]
        assert base["verified"] == theirs["sui"].get("wage_base_verified", False)


def same(ours: Any, theirs: Any, skip: frozenset[str] | set[str] = frozenset()) -> bool:
    if isinstance(theirs, dict):
        return {k for k in theirs if k not in skip} == set(ours) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(theirs, list):  # a bracket row is a list there and a table of named values here
        values = list(ours.values()) if isinstance(ours, dict) else ours
        return len(values) == len(theirs) and all(map(same, values, theirs))
    return bool(Decimal(ours) == theirs)


@pytest.mark.parametrize("year", [2025, 2026])
def test_the_step_2_schedules_follow_from_the_standard_ones(year: int) -> None:
    """Each edge of a step 2 schedule is half the standard edge with line 1g put back, to the nearest dollar; each base
    amount half the standard one, to the cent (as published: copied, not rebuilt)."""
    withholding = LAW[f"us_federal_{year}"]["withholding"]
    for status in ("single", "married_filing_jointly", "head_of_household"):
        joint = status == "married_filing_jointly"
        line_1g = Decimal(withholding["line_1g_married_filing_jointly" if joint else "line_1g_other"])
        for standard, box in zip(withholding["standard"][status], withholding["step2_checkbox"][status], strict=True):
            if standard["from"] == "0.00":
                continue
            half = (Decimal(standard["from"]) + line_1g) / 2
            assert Decimal(box["from"]) == half.quantize(Decimal(1), ROUND_HALF_UP)
            assert abs(Decimal(box["base"]) - Decimal(standard["base"]) / 2) <= Decimal("0.005")
            assert box["rate"] == standard["rate"]


def refusals(**changed: Any) -> list[tuple[str, str | None]]:
    case: dict[str, Any] = {
        "pay_date": date(2026, 11, 20),
        "pay_frequency": "weekly",
        "w4_version": "2020_or_later",
        "filing_status": "single",
        "state": "CA",
    }
    tables = changed.pop("tables", Tables.load())
    return [(fault.code, fault.pointer) for fault in tables.refusals(**(case | changed))]


def test_what_is_covered_is_not_refused() -> None:
    assert refusals() == []
    for state in ("CA", "NY", "IL", "PA"):
        for day in (date(2026, 1, 1), date(2026, 12, 31)):
            assert refusals(state=state, pay_date=day) == []
    for state in ("AK", "FL", "NH", "NV", "SD", "TN", "TX", "WA", "WY"):
        for year in (2025, 2026):
            for frequency in calc.FREQUENCIES:
                assert refusals(state=state, pay_date=date(year, 1, 1), pay_frequency=frequency) == []


def test_what_is_not_covered_is_refused_by_name() -> None:
    assert refusals(pay_date=date(2024, 12, 31), state="TX") == [("year_not_supported", "#/pay_date")]
    assert refusals(pay_date=date(2027, 1, 1)) == [("year_not_supported", "#/pay_date")]
    for state in ("CA", "NY", "IL", "PA"):
        assert refusals(state=state, pay_date=date(2025, 6, 1)) == [("year_not_supported", "#/pay_date")]
    for state in ("CA", "NY"):
        for frequency in ("quarterly", "semiannual"):
            assert refusals(state=state, pay_frequency=frequency) == [("frequency_not_published", "#/pay_frequency")]
    for state, unpublished in {
        "NJ": ("annual", "quarterly", "semiannual", "daily"),
        "NM": ("daily", "quarterly"),
        "OH": ("annual",),
        "OK": ("daily", "quarterly"),
        "RI": ("daily", "quarterly"),
        "VT": ("daily", "quarterly"),
        "WV": ("quarterly",),
        "KS": ("quarterly",),
        "MT": ("semiannual",),
    }.items():
        for frequency in unpublished:
            assert refusals(state=state, pay_frequency=frequency) == [("frequency_not_published", "#/pay_frequency")]
    assert refusals(state="ZZ") == [("unknown_state", "#/work_state")]
    without = Tables.of({name: text for name, text in TEXTS.items() if name != "us_nj_2026"})
    assert refusals(tables=without, state="NJ") == [("state_not_supported", "#/work_state")]
    assert refusals(w4_version="2019_or_earlier", filing_status="head_of_household") == [
        ("head_of_household_on_older_form", "#/w4/filing_status")
    ]
    status = StateCertificate(status="head_of_household")
    assert refusals(state="NY", certificate=status) == [("unknown_status", "#/state_certificate/status")]
    for state in ("PA", "IL", "TX"):  # they have no status: a known word changes nothing, any other is refused
        assert refusals(state=state, certificate=status) == []
        divorced = StateCertificate(status="divorced")
        assert refusals(state=state, certificate=divorced) == [("unknown_status", "#/state_certificate/status")]
    assert refusals(
        state="NY", certificate=status, pay_date=date(2025, 1, 1), pay_frequency="quarterly",
        w4_version="2019_or_earlier", filing_status="head_of_household",
    ) == [
        ("head_of_household_on_older_form", "#/w4/filing_status"),
        ("year_not_supported", "#/pay_date"),
        ("frequency_not_published", "#/pay_frequency"),
        ("unknown_status", "#/state_certificate/status"),
    ]  # fmt: skip


def test_a_frequency_that_only_an_earlier_version_publishes_is_refused_from_the_later_one_on() -> None:
    """Idaho annualised any period until 30 July 2026; its tables from then on are for six of them. Ohio's versions go
    by the end of the period, and none covers the spring of 2025."""

    def check(day: date, *, state: str = "ID", frequency: str = "quarterly", end: date | None = None) -> Paycheck:
        work = (Work(state=state),)
        return Paycheck(pay_date=day, pay_frequency=frequency, gross=1_000_000, w4=W4(), work=work, period_end=end)

    before, after = check(date(2026, 7, 30)), check(date(2026, 7, 31))
    old = check(date(2026, 1, 2), state="OH", frequency="weekly", end=date(2025, 9, 30))
    assert gross_to_net(Columns.of([before]), Tables.load()).column("state_income_tax").tolist() == [33_100]
    with pytest.raises(ValidationFailed) as refused:
        gross_to_net(Columns.of([before, after, old]), Tables.load())
    assert [(fault.code, fault.pointer) for fault in refused.value.errors] == [
        ("frequency_not_published", "#/paychecks/1/pay_frequency"),
        ("year_not_supported", "#/paychecks/2/pay_date"),
    ]


def test_an_approximated_law_is_told() -> None:
    text = TEXTS["us_mi_2026"].replace(b'basis = "withholding-guide"', b'basis = "annual-return"')
    check = Paycheck(
        pay_date=date(2026, 3, 6), pay_frequency="weekly", gross=90_000, w4=W4(), work=(Work(state="MI"),)
    )  # fmt: skip
    notes = gross_to_net(Columns.of([check]), Tables.of(TEXTS | {"us_mi_2026": text})).paycheck(0).notes
    assert ("approximate_withholding" in dict(notes)) is True
    assert "approximate_withholding" not in dict(gross_to_net(Columns.of([check]), Tables.load()).paycheck(0).notes)


def test_a_part_that_is_not_known_hides_no_other_refusal() -> None:
    without = Tables.of({name: text for name, text in TEXTS.items() if name != "us_nj_2026"})
    assert refusals(tables=without, pay_date=None, state="NJ") == [("state_not_supported", "#/work_state")]
    assert refusals(pay_frequency=None, pay_date=date(2024, 1, 5)) == [("year_not_supported", "#/pay_date")]
    assert refusals(w4_version=None, state="ZZ") == [("unknown_state", "#/work_state")]
    assert refusals(
        state=None, pay_date=date(2024, 1, 5), w4_version="2019_or_earlier", filing_status="head_of_household"
    ) == [
        ("head_of_household_on_older_form", "#/w4/filing_status"),
        ("year_not_supported", "#/pay_date"),
    ]
    divorced = StateCertificate(status="divorced")
    assert refusals(pay_date=None, pay_frequency="quarterly", certificate=divorced) == [
        ("frequency_not_published", "#/pay_frequency"),
        ("unknown_status", "#/state_certificate/status"),
    ]


def test_the_engine_refuses_uncovered_rows_with_all_faults_at_once() -> None:
    def check(state: str, frequency: str, year: int = 2026) -> Paycheck:
        return Paycheck(pay_date=date(year, 3, 6), pay_frequency=frequency, gross=1, w4=W4(), work=(Work(state=state),))

    nowhere = Paycheck(pay_date=date(2026, 3, 6), pay_frequency="weekly", gross=1, w4=W4(), work=())
    checks = [
        check("TX", "weekly"),
        check("NJ", "annual"),
        check("CA", "quarterly"),
        check("PA", "weekly", 2025),
        nowhere,
    ]
    with pytest.raises(ValidationFailed) as refused:
        gross_to_net(Columns.of(checks), Tables.load())
    assert [(fault.code, fault.pointer) for fault in refused.value.errors] == [
        ("frequency_not_published", "#/paychecks/1/pay_frequency"),
        ("frequency_not_published", "#/paychecks/2/pay_frequency"),
        ("year_not_supported", "#/paychecks/3/pay_date"),
        ("required", "#/paychecks/4/work"),
    ]
    for row, each in enumerate(checks):
        expected = row in {1, 2, 3}
        assert bool(Tables.load().refusals_of(each)) is expected


def test_refusals_of_a_paycheck_point_into_it() -> None:
    work = (Work(state="TX"), Work(state="NY", certificate=StateCertificate(status="all")))
    check = Paycheck(pay_date=date(2026, 3, 6), pay_frequency="quarterly", gross=1, w4=W4(), work=work)
    faults: list[Fault] = Tables.load().refusals_of(check)
    assert [(fault.code, fault.pointer) for fault in faults] == [
        ("frequency_not_published", "#/pay_frequency"),
        ("unknown_status", "#/work/1/certificate/status"),
    ]


def two_versions(basis: str) -> Tables:
    """Pennsylvania with another rate from 1 July 2026."""
    text = TEXTS["us_pa_2026"].decode()
    first, rest = text.split("[[programmes]]", 1)
    begin = first.index("[[withholding]]")
    version = first[begin:].replace('effective_basis = "pay_date"', f'effective_basis = "{basis}"')
    older = version.replace("effective_from = 2023-01-01", "effective_from = 2023-01-01\neffective_to = 2026-06-30")
    newer = version.replace("2023-01-01", "2026-07-01").replace('rate = "0.0307"', 'rate = "0.0407"')
    changed = first[:begin] + older + newer + "[[programmes]]" + rest
    return Tables.of(TEXTS | {"us_pa_2026": changed.encode()})


@pytest.mark.parametrize("basis", ["pay_date", "period_begin", "period_end"])
def test_the_version_in_effect_is_chosen_by_the_date_its_basis_names(basis: str) -> None:
    tables = two_versions(basis)
    dates = [(date(2026, 6, 30), 3_070), (date(2026, 7, 1), 4_070)]
    checks, expected = [], []
    for day, tax in dates:
        given: dict[str, Any] = dict.fromkeys(("pay_date", "period_begin", "period_end"), date(2026, 7, 15))
        given[basis] = day
        checks.append(Paycheck(pay_frequency="weekly", gross=100_000, w4=W4(), work=(Work(state="PA"),), **given))
        expected.append(tax)
    assert gross_to_net(Columns.of(checks), tables).column("state_income_tax").tolist() == expected


def test_versions_name_the_content() -> None:
    versions = Tables.load().versions()
    assert set(versions) == set(LAW)
    assert Tables.load().versions("us_ca_2026") == {"us_ca_2026": versions["us_ca_2026"]}
    assert versions["us_ca_2026"].startswith("2026.1+")
    changed = Tables.of(TEXTS | {"us_ca_2026": TEXTS["us_ca_2026"] + b"\n# a comment\n"})
    assert changed.versions("us_ca_2026") != Tables.load().versions("us_ca_2026")
    assert Tables.load() is Tables.load()


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        ("us_pa_2026", 'name = "us_pa_2026"', 'name = "us_xx_2026"', "calls itself us_xx_2026"),
        ("us_pa_2026", 'effective_basis = "pay_date"', 'effective_basis = "payday"', "effective_basis must be one of"),
        ("us_il_2026", 'rows_begin = "over"', 'rows_begin = "above"', "rows_begin must be at_least or over"),
        ("us_il_2026", 'from = "0.00"', 'from = "1.00"', "rows must begin at 0.00 and rise"),
        ("us_il_2026", 'allowance = "2925.00"', 'allowance = "2925.005"', "not a whole number of cents"),
        ("us_il_2026", 'rate = "0.0495"', 'rate = "0.0000495123456"', "does not fit the integer arithmetic"),
        ("us_pa_2026", 'rate = "0.0007"', 'rate = "0.00000071"', "is not exact"),
        ("us_wa_2026", 'employee_share = "0.7143"\n', "", "both with an employee_share"),
        ("us_ca_2026", '"32.37"]', '"32.37", "35.00"]', "10 amounts were expected, 11 are listed"),
        ("us_dc_2026", 'basis = "withholding-guide"', 'basis = "a guess"', "basis must be withholding-guide or"),
        ("us_ms_2026", '"subtracted"', '"added"', "must be subtracted or instead_of_standard_deduction"),
        ("us_me_2026", 'kind = "linear_fraction"', 'kind = "steps"', "kind must be linear_fraction or linear_rate"),
        ("us_co_2026", 'employer_rate = "0.0044"', 'employer_rate = "0.0040"', "must add up to rate"),
        ("us_jurisdictions", "WY = ", "WX = ", "exactly the 51 jurisdictions"),
        ("us_creditor_limits_2026", "[states.WY]", "[states.WX]", "exactly the 51 jurisdictions"),
        ("us_creditor_limits_2026", "forbidden = true\n", "", "NC must say follows_federal, forbidden"),
        (
            "us_creditor_limits_2026",
            "[states.IL]\ngross_share",
            "[states.IL]\nnet_share",
            "IL must say .* nothing that is no rule",
        ),
        ("us_creditor_limits_2026", "year = 2026", "year = 2027", "us_garnishments has creditors; 2026 is"),
    ],
)
def test_a_broken_table_is_told_as_it_loads(table: str, old: str, new: str, says: str) -> None:
    text = TEXTS[table].decode()
    assert old in text
    with pytest.raises(ValueError, match=says):
        Tables.of(TEXTS | {table: text.replace(old, new, 1).encode()})


def test_state_programmes_of_an_unknown_year_are_left_out_with_a_note() -> None:
    work = Work(state="WA", sui_rate=10_000)
    check = Paycheck(pay_date=date(2025, 3, 7), pay_frequency="weekly", gross=100_000, w4=W4(), work=(work,))
    result = gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)
    assert {line.code for line in result.lines if line.jurisdiction == "WA"} == {"state_income_tax"}
    assert [code for code, _ in result.notes] == ["programmes_year_not_known", "sui_base_not_known"]
