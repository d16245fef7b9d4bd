"""Whatever the bank file's writer accepts adds up, in the eyes of two readers; and the published sample."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import achkit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payroll.nacha_cases import BANK, CREATED, ODFI, a_batch, a_credit, with_check_digit, write
from tests.payroll.nacha_reader import read

from backoffice.payroll.nacha import Account, Bank, Credit, LineEnd, PayrollBatch, write_file

FORMATS = Path(__file__).parents[3] / "shared/reference/payroll/formats.md"


ACCOUNTS = st.builds(
    Account,
    routing=st.from_regex("[0-9]{8}", fullmatch=True).filter(lambda eight: eight != "00000000").map(with_check_digit),
    number=st.from_regex("[1-9A-Z][0-9]{0,16}", fullmatch=True),
    kind=st.sampled_from(["checking", "savings"]),
)
NAMES = st.text(
    alphabet=st.characters(max_codepoint=0x17F, categories=["Lu", "Ll"], exclude_characters="µ"),
    min_size=1,
    max_size=40,
)
LINE_ENDS: tuple[LineEnd, ...] = ("\n", "\r\n", "")
PEOPLE = st.tuples(ACCOUNTS, st.integers(0, 9_999_999_999), NAMES)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(PEOPLE, min_size=1, max_size=15), min_size=1, max_size=3),
    st.sampled_from(LINE_ENDS),
    st.booleans(),
    st.integers(1, 30),
)
def test_whatever_is_accepted_adds_up(
    paydays: list[list[tuple[Account, int, str]]], line_end: LineEnd, balanced: bool, batch_entries: int
) -> None:
    bank = replace(
        BANK,
        line_end=line_end,
        balancing=Account(routing=ODFI, number="555000") if balanced else None,
        batch_entries=batch_entries,
    )
    batches = [
        PayrollBatch(
            payday=date(2026, 11, 18 + index),
            credits=[
                Credit(
                    reference=f"{index}.{place}",
                    account=account,
                    amount=amount,
                    individual_id=f"W{index}-{place}",
                    name=name,
                    prenote=amount == 0,
                )
                for place, (account, amount, name) in enumerate(people)
            ],
        )
        for index, people in enumerate(paydays)
    ]
    made = write_file(bank, batches, created=CREATED)
    file = read(made.text, line_end)
    entries = [(batch, entry) for batch in file.batches for entry in batch.entries]
    paid = [(batch.effective, entry) for batch, entry in entries if entry.is_credit]
    given_ = [(batch.payday, credit) for batch in batches for credit in batch.credits]
    assert len(paid) == len(given_)
    for (effective, entry), (payday, credit) in zip(paid, given_, strict=True):
        assert effective == payday
        assert made.traces[credit.reference] == entry.trace
        assert (entry.routing, entry.account.rstrip()) == (credit.account.routing, credit.account.number)
        assert (entry.amount, entry.individual_id.rstrip()) == (credit.amount, credit.individual_id)
        assert entry.name.strip()
    assert made.credit == sum(credit.amount for _, credit in given_)
    assert made.debit == (made.credit if balanced else 0)
    if line_end:
        opinion = achkit.validate(made.text)
        assert opinion["ok"], opinion["errors"]


def test_achkit_agrees_and_notices_a_changed_amount() -> None:
    made = write(a_batch(*(a_credit(str(number), amount=number + 1) for number in range(13))))
    assert achkit.validate(made.text) == {"ok": True, "errors": []}
    assert not achkit.validate(made.text.replace("0000000013W-", "0000000014W-"))["ok"]


@pytest.mark.skipif(not FORMATS.exists(), reason="the reference folder is not beside this checkout")
def test_the_worked_sample_is_read_and_its_payroll_batch_written_again() -> None:
    """The sample of the format notes: the reader accepts all of it, and the writer makes its header and its PPD batch
    again, byte for byte, from what the reader found."""
    text = FORMATS.read_text(encoding="utf-8")
    block = text.split("### Worked sample", 1)[1].split("```")[1].strip("\n")
    lines = [line for line in block.split("\n") if not line.startswith("(")]
    sample = "".join(f"{line}\n" for line in lines + ["9" * 94] * (20 - len(lines)))
    file = read(sample)
    payroll, tax = file.batches
    assert tax.entries[0].addenda[0].startswith("TXP*")

    bank = Bank(
        destination=file.destination.strip(),
        destination_name=file.destination_name.rstrip(),
        origin=file.origin,
        origin_name=file.origin_name.rstrip(),
        odfi=with_check_digit(payroll.odfi),
        company_name=payroll.company_name.rstrip(),
        company_id=payroll.company_id,
        discretionary=payroll.discretionary.rstrip(),
        reference=file.reference.rstrip(),
    )
    batch = PayrollBatch(
        payday=payroll.effective,
        descriptive_date=payroll.descriptive_date,
        suffix=payroll.description.rstrip().removeprefix("PAYROLL"),
        credits=[
            Credit(
                reference=entry.trace,
                account=Account(
                    routing=entry.routing,
                    number=entry.account.rstrip(),
                    kind="savings" if entry.code >= 30 else "checking",
                ),
                amount=entry.amount,
                individual_id=entry.individual_id.rstrip(),
                name=entry.name.rstrip(),
                prenote=entry.code in (23, 33),
            )
            for entry in payroll.entries
        ],
    )
    made = write_file(bank, [batch], created=file.created, modifier=file.modifier)
    count = 1 + 1 + len(payroll.entries) + 1
    assert made.text.splitlines()[:count] == lines[:count]
    assert all(reference == trace for reference, trace in made.traces.items())
