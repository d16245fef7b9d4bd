"""The bank file, read back by an independent reader (`nacha_reader`), with the package achkit as second opinion."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.payroll.nacha_cases import BANK, CREATED, ODFI, PAYDAY, RDFI, a_batch, a_credit, with_check_digit, write
from tests.payroll.nacha_reader import read

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll.nacha import (
    Account,
    Bank,
    LineEnd,
    PayrollBatch,
    routing_number_faults,
    transliterate,
    write_file,
)


def codes(*batches: PayrollBatch, bank: Bank = BANK, modifier: str = "A") -> dict[str, str]:
    """pointer → code of every fault."""
    with pytest.raises(ValidationFailed) as caught:
        write_file(bank, batches, created=CREATED, modifier=modifier)
    return {str(fault.pointer): fault.code for fault in caught.value.errors}


# --- what is written ------------------------------------------------------------------------------------------------


def test_one_credit_record_by_record() -> None:
    made = write()
    odfi, rdfi = ODFI, RDFI
    assert made.text.splitlines() == [
        f"101 {odfi}19000000012611171504A094101{'EXAMPLE BANK':23}{'SAMPLE EMPLOYER LLC':23}{'':8}",
        f"5220{'SAMPLE EMPLOYER':16}{'':20}1900000001PPD{'PAYROLL':10}{'':6}261120   1{odfi[:8]}0000001",
        f"622{rdfi}{'0012345678':17}0000123456{'W-100017':15}{'ANA RIVERA':22}  0{odfi[:8]}0000001",
        f"8220000001{int(rdfi[:8]):010d}{0:012d}{123456:012d}1900000001{'':25}{odfi[:8]}0000001",
        f"9000001000001{1:08d}{int(rdfi[:8]):010d}{0:012d}{123456:012d}{'':39}",
        *["9" * 94] * 5,
    ]
    assert made.traces == {"pchk_1": f"{odfi[:8]}0000001"}
    assert made.notes == ()
    assert made.encoded() == made.text.encode()


def test_codes_by_kind_of_account_and_prenotes() -> None:
    savings = Account(routing=RDFI, number="77", kind="savings")
    made = write(
        a_batch(
            a_credit("1"),
            a_credit("2", account=savings),
            a_credit("3", amount=0, prenote=True),
            a_credit("4", account=savings, amount=0, prenote=True),
        )
    )
    (batch,) = read(made.text).batches
    assert [entry.code for entry in batch.entries] == [22, 32, 23, 33]
    assert made.credit == batch.credit == 2 * 123_456


def test_the_description_starts_with_payroll_and_the_date_is_payday() -> None:
    file = read(write(a_batch(suffix="BON"), a_batch(a_credit("2"), payday=date(2026, 11, 25))).text)
    assert [batch.description for batch in file.batches] == ["PAYROLLBON", "PAYROLL   "]
    assert [batch.effective for batch in file.batches] == [PAYDAY, date(2026, 11, 25)]
    assert all(batch.sec == "PPD" for batch in file.batches)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", ""])
def test_line_ends_are_the_banks_choice(line_end: LineEnd) -> None:
    made = write(bank=replace(BANK, line_end=line_end))
    assert read(made.text, line_end) == read(write().text)
    assert len(made.text) == 10 * (94 + len(line_end))


def test_a_balanced_batch_debits_the_company() -> None:
    bank = replace(BANK, balancing=Account(routing=ODFI, number="555000"))
    made = write(a_batch(a_credit("1"), a_credit("2", amount=1)), bank=bank)
    (batch,) = read(made.text).batches
    *_, last = batch.entries
    assert batch.service_class == 200
    assert batch.debit == batch.credit == made.debit == 123_457
    assert (last.code, last.routing, last.account.strip()) == (27, ODFI, "555000")
    assert last.name.strip() == "SAMPLE EMPLOYER"
    assert len(made.traces) == 2


def test_a_balancing_debit_larger_than_an_entry_is_split() -> None:
    bank = replace(BANK, balancing=Account(routing=ODFI, number="555000", kind="savings"))
    most = 9_999_999_999
    made = write(a_batch(a_credit("1", amount=most), a_credit("2", amount=most), a_credit("3", amount=7)), bank=bank)
    (batch,) = read(made.text).batches
    assert [entry.amount for entry in batch.entries if entry.code == 37] == [most, most, 7]


def test_prenotes_alone_need_no_balancing() -> None:
    bank = replace(BANK, balancing=Account(routing=ODFI, number="555000"))
    (batch,) = read(write(a_batch(a_credit(amount=0, prenote=True)), bank=bank).text).batches
    assert batch.service_class == 220


def test_long_batches_continue_with_traces_ascending_over_the_file() -> None:
    bank = replace(BANK, batch_entries=4)
    credits_ = [a_credit(str(number), amount=number) for number in range(1, 11)]
    made = write(a_batch(*credits_), a_batch(a_credit("11")), bank=bank)
    file = read(made.text)
    assert [len(batch.entries) for batch in file.batches] == [4, 4, 2, 1]
    traces = [entry.trace for batch in file.batches for entry in batch.entries]
    assert traces == sorted(traces) == list(made.traces.values())
    assert [(total.number, total.entries, total.credit) for total in made.batches] == [
        (1, 4, 10),
        (2, 4, 26),
        (3, 2, 19),
        (4, 1, 123_456),
    ]


def test_empty_batches_are_left_out() -> None:
    empty = PayrollBatch(payday=PAYDAY, credits=())
    assert len(read(write(empty, a_batch(), empty).text).batches) == 1


@pytest.mark.parametrize("count", [5, 6, 7, 15, 16])
def test_blocks_are_full(count: int) -> None:
    """With 4 other records, 6 and 16 entries fill their blocks exactly."""
    made = write(a_batch(*(a_credit(str(number)) for number in range(count))))
    read(made.text)
    assert len(made.text.splitlines()) == -(-(count + 4) // 10) * 10


def test_the_hash_keeps_ten_digits() -> None:
    high = Account(routing=with_check_digit("99999999"), number="1")
    made = write(a_batch(*(a_credit(str(number), account=high) for number in range(101))))
    read(made.text)
    assert made.entry_hash == 101 * 99_999_999 % 10**10 == 99_999_899


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Łódź", "LODZ"),
        ("Conceição", "CONCEICAO"),
        ("Müller-Straße", "MULLER-STRASSE"),
        ("Bjørn Ærø", "BJORN AERO"),
        ("Þórður Guðmundsson", "THORDUR GUDMUNDSSON"),
        ("Nguyễn Thị Đào", "NGUYEN THI DAO"),
        ("O’Brien", "O'BRIEN"),
        ("Siobhán  Ní\u00a0Dhálaigh ", "SIOBHAN NI DHALAIGH"),
        ("İpek Işık", "IPEK ISIK"),
        ("Jean–Luc", "JEAN-LUC"),
        ("Kelikolani Kaʻū", "KELIKOLANI KA'U"),
        ("e\u0301lan", "ELAN"),
        ("Nuñez/Ana", "NUNEZ/ANA"),
    ],
)
def test_names_are_transliterated(name: str, written: str) -> None:
    assert transliterate(name).text == written
    assert transliterate(name).unreadable == ()
    (batch,) = read(write(a_batch(a_credit(name=name))).text).batches
    assert batch.entries[0].name.rstrip() == written[:22].rstrip()


def test_every_change_of_a_name_is_told() -> None:
    made = write(
        a_batch(
            a_credit("plain", name="Ana Rivera"),
            a_credit("marks", name="Ana Conceição"),
            a_credit("long", name="Maximiliana Featherstonehaugh"),
            a_credit("both", name="Władysława Brzęczyszczykiewicz"),
        )
    )
    assert [(note.reference, note.reason, note.written) for note in made.notes] == [
        ("marks", "transliterated", "ANA CONCEICAO"),
        ("long", "shortened", "MAXIMILIANA FEATHERSTO"),
        ("both", "transliterated,shortened", "WLADYSLAWA BRZECZYSZCZ"),
    ]
    assert "Conceição" not in repr(made)


@pytest.mark.parametrize(
    ("name", "code"), [("王小明", "U+738B"), ("김", "U+AE40"), ("Ana 🙂", "U+1F642"), ("A\nB", "U+000A")]
)
def test_what_has_no_ascii_form_is_refused_and_named(name: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        write(a_batch(a_credit(name=name)))
    (fault,) = caught.value.errors
    assert (fault.code, fault.pointer) == ("name_not_ascii", "#/batches/0/credits/0/name")
    assert code in fault.detail


@given(st.text(max_size=40))
def test_transliteration_is_ascii_upper_case_and_settled(text: str) -> None:
    result = transliterate(text)
    assert re.fullmatch("[ -~]*", result.text)
    assert result.text == result.text.upper().strip()
    assert transliterate(result.text).text == result.text
    assert set(result.unreadable) <= set(unicodedata.normalize("NFC", text))


@given(st.text(alphabet=st.characters(max_codepoint=0x24F, categories=["L"]), min_size=1))
def test_latin_letters_never_vanish(text: str) -> None:
    """Each letter of Basic Latin to Latin Extended-B is written or reported."""
    for letter in text:
        result = transliterate(letter)
        assert bool(result.text) != bool(result.unreadable)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [ODFI, RDFI, with_check_digit("00000001")])
def test_good_routing_numbers(number: str) -> None:
    assert routing_number_faults(number) == []


@pytest.mark.parametrize(
    "number", ["", "12000009", ODFI + "0", "12000009x", "１２０００００９1", " " + ODFI[:8], "000000000"]
)
def test_bad_routing_numbers(number: str) -> None:
    assert len(routing_number_faults(number)) == 1


@given(st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(position: int, shift: int) -> None:
    wrong = ODFI[:position] + str((int(ODFI[position]) + shift) % 10) + ODFI[position + 1 :]
    (fault,) = routing_number_faults(wrong)
    assert fault.code == "routing_number_check_digit"


def test_all_faults_are_told_at_once_and_no_account_number_is_repeated() -> None:
    bad = Account(routing="123456789", number="12*45678901")
    credits_ = [
        a_credit("1", account=bad, amount=0, individual_id="900-12-3456", name=" "),
        a_credit("1", amount=10_000_000_000, individual_id=""),
        a_credit("3", amount=5, prenote=True, individual_id="x" * 16),
    ]
    bank = replace(BANK, destination="1", origin="short", company_name="S" * 17, origin_name="Ł", entry_limit=0)
    found = codes(a_batch(*credits_, payday=date(2026, 11, 26), suffix="LONG"), bank=bank, modifier="a")
    credit = "#/batches/0/credits/"
    assert found == {
        "#/modifier": "modifier_malformed",
        "#/bank/destination": "routing_number_malformed",
        "#/bank/origin": "length",
        "#/bank/origin_name": "not_ascii",
        "#/bank/company_name": "length",
        "#/bank/entry_limit": "limit_out_of_range",
        "#/batches/0/suffix": "length",
        "#/batches/0/payday": "not_a_banking_day",
        f"{credit}0/account/routing": "routing_number_check_digit",
        f"{credit}0/account/number": "account_number_malformed",
        f"{credit}0/amount": "amount_out_of_range",
        f"{credit}0/individual_id": "looks_like_ssn",
        f"{credit}0/name": "required",
        f"{credit}1/amount": "amount_out_of_range",
        f"{credit}1/individual_id": "length",
        f"{credit}1/reference": "duplicate",
        f"{credit}2/amount": "prenote_with_amount",
        f"{credit}2/individual_id": "length",
    }
    with pytest.raises(ValidationFailed) as caught:
        write(a_batch(*credits_), bank=bank)
    assert "12*45678901" not in str([fault.body() for fault in caught.value.errors])
    assert "0012345678" not in repr(a_credit())


@pytest.mark.parametrize(
    ("payday", "code"),
    [
        (date(2026, 11, 16), "payday_past"),
        (date(2026, 11, 21), "not_a_banking_day"),
        (date(2026, 11, 26), "not_a_banking_day"),
    ],
)
def test_paydays_are_banking_days_ahead(payday: date, code: str) -> None:
    assert codes(a_batch(payday=payday)) == {"#/batches/0/payday": code}


def test_a_holiday_on_saturday_leaves_friday_a_payday_and_one_on_sunday_takes_monday() -> None:
    early = datetime(2026, 7, 1, 12, tzinfo=UTC)
    read(write_file(BANK, [a_batch(payday=date(2026, 7, 3))], created=early).text)
    assert codes(a_batch(payday=date(2027, 7, 5))) == {"#/batches/0/payday": "not_a_banking_day"}


@pytest.mark.parametrize("number", ["", "0000", "1" * 18, " 12", "12 ", "12_3", "12\n", "-", "１２"])
def test_bad_account_numbers(number: str) -> None:
    found = codes(a_batch(a_credit(account=Account(routing=RDFI, number=number))))
    assert found == {"#/batches/0/credits/0/account/number": "account_number_malformed"}


@pytest.mark.parametrize("number", ["1", "0012345678", "12-345 67A", "1" * 17])
def test_account_numbers_are_written_as_given(number: str) -> None:
    (batch,) = read(write(a_batch(a_credit(account=Account(routing=RDFI, number=number)))).text).batches
    assert batch.entries[0].account == number.ljust(17)


@pytest.mark.parametrize("value", ["900123456", "900-12-3456", "900 12 3456"])
def test_an_ssn_never_goes_into_the_file(value: str) -> None:
    assert codes(a_batch(a_credit(individual_id=value))) == {"#/batches/0/credits/0/individual_id": "looks_like_ssn"}


def test_limits_of_the_bank_and_of_a_file() -> None:
    bank = replace(BANK, entry_limit=1_000_000_00)
    assert codes(a_batch(a_credit(amount=1_000_000_01)), bank=bank) == {
        "#/batches/0/credits/0/amount": "amount_out_of_range"
    }
    write(a_batch(a_credit(amount=1_000_000_00)), bank=bank)
    most = [a_credit(str(number), amount=9_999_999_999) for number in range(101)]
    assert codes(a_batch(*most)) == {"#/batches": "file_total_too_large"}
    assert read(write(a_batch(*most[:100])).text).batches[0].credit == 999_999_999_900


def test_a_file_needs_an_entry() -> None:
    assert codes() == {"#/batches": "no_entries"}
    assert codes(PayrollBatch(payday=PAYDAY, credits=())) == {"#/batches": "no_entries"}
