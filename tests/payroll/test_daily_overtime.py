"""A pay run with California days of ten and thirteen hours and a seventh day: paid, on the stub, explained."""

from __future__ import annotations

import io
from fractions import Fraction

import pypdf
from tests.factories.crew import WEEK, Hand, Job, crew, dollars
from tests.factories.desk import desk
from tests.payroll.test_late_hours import LATER, NEXT, earned, pay
from tests.payroll.test_run_year import year_equals_lines
from tests.world import World

SEVEN = ["10", "13", "8", "8", "8", "8", "9"]


async def test_daily_overtime_and_double_time_from_the_hours_to_the_stub(world: World) -> None:
    """64 hours at 20.00 in seven days. By the day: 2, 4 + 1 double, and on the seventh day 8 + 1 double; of the other
    48 hours 8 are over 40. So 22 hours at half of 20.00 and 2 at 20.00: 260.00 on top of 1,280.00."""
    hands = Hand("A", jobs=[Job(state="CA", hours=SEVEN)]), Hand("B", jobs=[Job(state="CA")])
    made = await crew(world, *hands, at=LATER)
    worker = made.workers["A"]
    async with desk(world, made.tenant) as at:
        run = await at.open(pay_date="2026-11-25")
        assert await at.codes(run) == []
        run = await pay(at, run)
        checks = await at.paychecks(run)
        check = checks[worker]
        assert earned(check) == [
            ("regular", "2026-11-09", "64.00", "20.00", "1280.00"),
            ("overtime_premium", "2026-11-09", "22.00", "10.00", "220.00"),
            ("double_time_premium", "2026-11-09", "2.00", "20.00", "40.00"),
        ]
        assert (check["gross"]["amount"], check["hours"]) == ("1540.00", "64.00")
        taxed = {line["code"]: line["amount"]["amount"] for line in check["lines"]}
        assert (taxed["social_security"], taxed["CA_SDI"]) == ("95.48", "20.02")
        noted = [note["code"] for note in check["notes"] if "overtime law of California" in note["detail"]]
        assert noted == ["unverified_value"]
        assert "us_overtime_2026" in check["tables"]
        other = checks[made.workers["B"]]
        assert [line[0] for line in earned(other)] == ["regular"]
        assert "us_overtime_2026" not in other["tables"]

        derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
        assert derived["tables"] == derived["calculated_with"] == check["tables"]
        lines = {line["code"]: line for line in derived["lines"]}
        for code, hours in (("overtime_premium", "22.00"), ("double_time_premium", "2.00")):
            steps = {step["name"]: step for step in lines[code]["steps"]}
            assert Fraction(lines[code]["steps"][-1]["result"]["value"]) == Fraction(lines[code]["amount"])
            name = code.replace("_premium", "_hours")
            assert steps[name]["result"]["value"] == hours
            assert "seventh consecutive day" in steps["CA_2026_11_15_over"]["says"]
            assert steps["CA_2026_11_10_double"]["table"]["version"] == check["tables"]["us_overtime_2026"]
            assert "California Labor Code 510(a)" in lines[code]["citation"]

        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={check['id']}")
        pages = pypdf.PdfReader(io.BytesIO(await at.download(document))).pages
        stub = " ".join(" ".join(page.extract_text() for page in pages).split())
        for row in (
            "Overtime premium (half the regular rate, overtime hours) (hours counted above) 22.00 10.00 220.00",
            "Double-time premium (the regular rate, double-time hours) (hours counted above) 2.00 20.00 40.00",
        ):
            assert row in stub, stub
        await year_equals_lines(at)


async def test_late_hours_of_a_sixth_day_make_the_paid_seventh_one(world: World) -> None:
    """Six days were paid, the seventh of the week with 14 hours: 4 and 2 doubles, and 8 over 40: 12 at 10.00 and 2 at
    20.00 are 160.00. An hour on the missing day makes the last one the seventh: 8 and 6 doubles, and one over 40, which
    are 90.00 and 120.00. Of the 210.00 50.00 are still owed, all of it double time."""
    jobs = [Job(state="CA", hours=["8", "8", "8", "8", "8", "0", "14"]), Job(state="CA", hours=())]
    made = await crew(world, Hand("A", jobs=jobs), at=LATER)
    worker = made.workers["A"]
    async with desk(world, made.tenant) as at:
        first = await pay(at, await at.open(pay_date="2026-11-25"))
        assert earned((await at.paychecks(first))[worker])[1:] == [
            ("overtime_premium", "2026-11-09", "12.00", "10.00", "120.00"),
            ("double_time_premium", "2026-11-09", "2.00", "20.00", "40.00"),
        ]
        await made.work("A", WEEK, ["0", "0", "0", "0", "0", "1"], job=1)
        run = await at.calculated(await at.open(NEXT))
        check = (await at.paychecks(run))[worker]
        assert earned(check) == [
            ("regular", "2026-11-09", "1.00", "20.00", "20.00"),
            ("double_time_premium", "2026-11-09", "4.00", "12.50", "50.00"),
        ]
        derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
        owed = next(line for line in derived["lines"] if line["code"] == "double_time_premium")["steps"][-1]
        assert {name: value["value"] for name, value in owed["inputs"].items()} == {
            "premium": "90.00", "double_time": "120.00", "overtime_paid": "120.00", "double_time_paid": "40.00"
        }  # fmt: skip
        run = await at.paid(await at.approved(run))
        assert dollars(run["totals"]["gross"]) == 7_000
