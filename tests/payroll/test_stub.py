"""The pay statement: every item the law asks for is on the page, and nothing that does not add up is printed."""

from __future__ import annotations

import asyncio
import io
import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pypdf
import pytest

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll import stub as stubs
from backoffice.payroll.stub import Amount, AssignmentPay, Deposit, Earning, Employer, Payee, PayStub


def a_stub(**changes: Any) -> PayStub:
    """Two assignments at two rates, 45.50 hours, overtime premium by the weighted regular rate."""
    values: dict[str, Any] = {
        "statement": "pchk_01jd7k3m9v2q4x8a0c5e6g7h1n",
        "made_at": datetime(2026, 11, 17, 14, 30, tzinfo=UTC),
        "employer": Employer(
            name="Example Workforce LLC",
            address=("500 Example Street, Suite 210", "Sacramento, CA 95814"),
            phone="+1 555 0100",
        ),
        "worker": Payee(
            name="Łódź Conceição-Whitfield",
            address=("12 Sample Avenue, Apt 4", "Oakland, CA 94601"),
            ssn_last4="3456",
            number="W-100017",
        ),
        "pay_date": date(2026, 11, 20),
        "period_begin": date(2026, 11, 9),
        "period_end": date(2026, 11, 15),
        "basis": "Weekly, by the hour",
        "assignments": (
            AssignmentPay(
                client="Sample Foods Distribution",
                position="Warehouse associate",
                place="Oakland, CA",
                earnings=(Earning(name="Straight time", amount=800_00, hours=Decimal("32.00"), rate=Decimal("25.00")),),
            ),
            AssignmentPay(
                client="Sample Print Works",
                position="Press operator",
                place="Berkeley, CA",
                earnings=(Earning(name="Straight time", amount=371_25, hours=Decimal("13.5"), rate=Decimal("27.5")),),
            ),
        ),
        "other_earnings": (
            Earning(
                name="Overtime premium",
                amount=70_79,
                hours=Decimal("5.50"),
                rate=Decimal("12.8709"),
                hours_counted=False,
            ),
        ),
        "taxes": (
            Amount(name="Federal income tax", amount=112_34, year_to_date=2_456_11),
            Amount(name="Social Security", amount=77_01, year_to_date=1_690_00),
            Amount(name="Medicare", amount=18_01, year_to_date=395_00),
            Amount(name="California income tax", amount=31_20, year_to_date=680_10),
            Amount(name="California SDI", amount=16_15, year_to_date=354_30),
        ),
        "deductions": (Amount(name="Uniform, on written order", amount=15_00, year_to_date=45_00),),
        "gross": 1_242_04,
        "gross_year_to_date": 27_258_00,
        "net": 972_33,
        "net_year_to_date": 21_637_49,
        "deposits": (
            Deposit(kind="Checking", masked="6789", bank="Example Bank", amount=800_00),
            Deposit(kind="Savings", masked="0017", bank="Example Credit Union", amount=172_33),
        ),
    }
    return PayStub(**(values | changes))


def words(made: bytes) -> str:
    """The text of all pages with runs of white space as one space."""
    pages = pypdf.PdfReader(io.BytesIO(made)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


@pytest.fixture(scope="module")
def page() -> str:
    return words(stubs.render(a_stub()))


# California Labor Code 226(a), by number; the last two belong to temporary services employers and to other states.
@pytest.mark.parametrize(
    "printed",
    [
        pytest.param("Total hours worked and gross wages 45.50 1,242.04", id="1 gross wages, 2 total hours"),
        pytest.param("Federal income tax 112.34 2,456.11", id="4 each tax"),
        pytest.param("Social Security 77.01 1,690.00", id="4 social security"),
        pytest.param("Medicare 18.01 395.00", id="4 medicare"),
        pytest.param("California income tax 31.20 680.10", id="4 state tax"),
        pytest.param("California SDI 16.15 354.30", id="4 programme"),
        pytest.param("Total taxes 254.71 5,575.51", id="4 all taxes"),
        pytest.param("Uniform, on written order 15.00 45.00", id="4 each deduction"),
        pytest.param("Net pay 972.33", id="5 net wages"),
        pytest.param("Nov 9, 2026 – Nov 15, 2026", id="6 inclusive dates"),
        pytest.param("Pay date Nov 20, 2026", id="pay date"),
        pytest.param("Łódź Conceição-Whitfield", id="7 name"),
        pytest.param("SSN XXX-XX-3456", id="7 last four digits"),
        pytest.param("Worker no. W-100017", id="7 other number"),
        pytest.param("Example Workforce LLC", id="8 legal entity"),
        pytest.param("500 Example Street, Suite 210 Sacramento, CA 95814 +1 555 0100", id="8 address, NY phone"),
        pytest.param("Hourly rate Hours $25.00 32.00 $27.50 13.50", id="9 rates and hours at each"),
        pytest.param("$12.8709 Overtime premium 5.50", id="9 premium rate"),
        pytest.param("Sample Foods Distribution · Warehouse associate · Oakland, CA", id="assignment"),
        pytest.param("Straight time 32.00 25.00 800.00 Total of the assignment 32.00 800.00", id="its rate and hours"),
        pytest.param("Straight time 13.50 27.50 371.25 Total of the assignment 13.50 371.25", id="the other's"),
        pytest.param("Overtime premium (hours counted above) 5.50 12.8709 70.79", id="overtime pay and hours"),
        pytest.param("Weekly, by the hour", id="NY basis of pay"),
        pytest.param("This period 1,242.04 254.71 15.00 972.33", id="summary"),
        pytest.param("Year to date 27,258.00 5,575.51 45.00 21,637.49", id="IL year to date"),
        pytest.param("Example Bank Checking account ending in 6789 800.00", id="deposit, masked"),
        pytest.param("Statement pchk_01jd7k3m9v2q4x8a0c5e6g7h1n", id="statement"),
    ],
)
def test_every_item_is_on_the_page(page: str, printed: str) -> None:
    assert printed in page


def test_what_is_not_known_is_not_shown(page: str) -> None:
    assert "sick leave" not in page.lower()
    bare = words(
        stubs.render(
            a_stub(
                worker=Payee(name="Ana Rivera", number="W-1"),
                employer=Employer(name="Example Workforce LLC", address=("1 Example Street",)),
            )
        )
    )
    assert "SSN" not in bare
    assert "555" not in bare


def test_sick_leave_and_notes_are_shown_when_known() -> None:
    made = words(stubs.render(a_stub(sick_leave_hours=Decimal("24.5"), notes=("Your rate changes on Nov 23, 2026.",))))
    assert "Paid sick leave Available: 24.50 hours" in made
    assert "Your rate changes on Nov 23, 2026." in made


def test_piece_work_salary_and_negative_amounts() -> None:
    work = AssignmentPay(
        client="Sample Orchards",
        earnings=(
            Earning(name="Crates", amount=2_50, pieces=Decimal(100), rate=Decimal("0.025")),
            Earning(name="Salary", amount=1_000_00),
        ),
    )
    made = words(
        stubs.render(
            a_stub(
                assignments=(work,),
                other_earnings=(),
                taxes=(Amount(name="Federal income tax", amount=-5_00, year_to_date=0),),
                deductions=(),
                gross=1_002_50,
                gross_year_to_date=1_002_50,
                net=1_007_50,
                net_year_to_date=1_002_50,
                deposits=(Deposit(kind="Check", amount=1_007_50),),
            )
        )
    )
    assert "Crates 100 pcs 0.025 2.50 Salary 1,000.00" in made
    assert "Federal income tax −5.00 0.00" in made
    assert "Hours at each rate" not in made
    assert "Deductions" not in made.replace("Gross wages Taxes Deductions Net pay", "")


def test_a_long_statement_repeats_its_heading_on_each_page() -> None:
    earning = Earning(name="Straight time", amount=100_00, hours=Decimal(4), rate=Decimal(25))
    count = 40
    made = stubs.render(
        a_stub(
            assignments=tuple(AssignmentPay(client=f"Client {k}", earnings=(earning,)) for k in range(count)),
            other_earnings=(),
            gross=count * 100_00,
            net=count * 100_00 - 269_71,
            deposits=(Deposit(kind="Check", amount=count * 100_00 - 269_71),),
        )
    )
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages]
    assert len(pages) >= 2
    assert all(f"Page {number} of {len(pages)}" in text for number, text in enumerate(pages, 1))
    assert all("Łódź Conceição-Whitfield" in text for text in pages)
    assert "Assignment and kind of pay" in pages[1]
    assert sum("Total hours worked and gross wages" in text for text in pages) == 1
    assert all(re.search(rf"Client {k}\b", "\n".join(pages)) for k in range(count))


def test_it_is_an_archivable_accessible_pdf_with_table_headings() -> None:
    made = stubs.render(a_stub())
    reader = pypdf.PdfReader(io.BytesIO(made))
    root: Any = reader.trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    tags: dict[str, int] = {}

    def walk(node: Any) -> None:
        node = node.get_object()
        if isinstance(node, pypdf.generic.DictionaryObject):
            if "/S" in node:
                tags[str(node["/S"])] = tags.get(str(node["/S"]), 0) + 1
            walk(node.get("/K", pypdf.generic.NullObject()))
        elif isinstance(node, pypdf.generic.ArrayObject):
            for child in node:
                walk(child)

    walk(root["/StructTreeRoot"]["/K"])
    assert tags["/Table"] == 6
    assert tags["/TH"] >= 5 + 4 + 3 + 3 + 2 + 2
    assert tags["/H1"] == 1
    assert tags["/H2"] == 5
    assert [float(length) for length in reader.pages[0].mediabox[2:]] == [612, 792]


def test_the_same_stub_gives_the_same_bytes() -> None:
    assert stubs.render(a_stub()) == stubs.render(a_stub())
    assert asyncio.run(stubs.render_in_thread(a_stub())) == stubs.render(a_stub())


def test_it_survives_json() -> None:
    stub = a_stub(sick_leave_hours=Decimal("24.50"))
    assert msgspec.json.decode(msgspec.json.encode(stub), type=PayStub) == stub


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"gross": 1_242_05}, {"#/gross", "#/net"}),
        ({"net": 972_34}, {"#/net"}),
        ({"deposits": ()}, {"#/net"}),
        ({"net_year_to_date": 0}, {"#/net_year_to_date"}),
        ({"period_begin": date(2026, 11, 16)}, {"#/period_end"}),
        ({"worker": Payee(name="Ana Rivera")}, {"#/worker/number"}),
        ({"employer": Employer(name="Example Workforce LLC", address=())}, {"#/employer/address"}),
        ({"made_at": datetime(2026, 11, 17)}, {"#/made_at"}),  # noqa: DTZ001
        (
            {"other_earnings": (Earning(name="Overtime premium", amount=70_79, hours=Decimal(1), pieces=Decimal(1)),)},
            {"#/earnings/2/rate", "#/earnings/2/pieces"},
        ),
    ],
)
def test_what_does_not_add_up_is_not_printed(changes: dict[str, Any], pointers: set[str]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        stubs.render(a_stub(**changes))
    assert {fault.pointer for fault in caught.value.errors} == pointers


def test_a_full_ssn_or_account_number_cannot_be_put_in() -> None:
    for part, kind in (
        (b'{"name": "A", "ssn_last4": "900123456"}', Payee),
        (b'{"name": "A", "ssn_last4": "90-1"}', Payee),
        (b'{"kind": "Checking", "amount": 1, "masked": "0012345678"}', Deposit),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(part, type=kind)
    for worker in (Payee(name="A", ssn_last4="900123456"), Payee(name="A", ssn_last4="34567")):
        with pytest.raises(ValidationFailed) as caught:
            stubs.render(a_stub(worker=worker))
        assert [fault.pointer for fault in caught.value.errors] == ["#/worker/ssn_last4"]
    with pytest.raises(ValidationFailed) as caught:
        stubs.render(a_stub(deposits=(Deposit(kind="Checking", masked="0012345678", amount=972_33),)))
    assert [fault.pointer for fault in caught.value.errors] == ["#/deposits/0/masked"]


def test_sixty_stubs_take_seconds() -> None:
    async def scenario() -> list[bytes]:
        return await asyncio.gather(*(stubs.render_in_thread(a_stub(statement=f"pchk_{k}")) for k in range(60)))

    begin = time.perf_counter()
    made = asyncio.run(scenario())
    took = time.perf_counter() - begin
    print(f"60 pay statements in {took:.2f} s")
    assert len(set(made)) == 60
    assert took < 30
