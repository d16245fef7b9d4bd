"""`compare_to`: why a worker's paycheck is not the one of the week before, through the API."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from tests.factories.crew import Hand, Job, crew
from tests.factories.desk import desk
from tests.world import World

NEXT = date(2026, 11, 16)


async def test_a_shorter_week_is_told_to_the_cent_and_only_to_whom_it_concerns(world: World) -> None:
    made = await crew(world, Hand("A", jobs=[Job(hours=["8", "8", "8"])]), Hand("B"))
    other = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at, desk(world, other.tenant) as elsewhere:
        run = await at.calculated(await at.open())
        first = await at.paychecks(run)
        await made.work("A", NEXT, ["8"])
        second = await at.paychecks(await at.calculated(await at.open(NEXT)))
        foreign = (await elsewhere.paychecks(await elsewhere.calculated(await elsewhere.open())))[other.workers["A"]]
        before, after = first[made.workers["A"]], second[made.workers["A"]]
        path = f"/v1/paychecks/{after['id']}/derivation"
        plain = await at.get(path)
        told = await at.get(f"{path}?compare_to={before['id']}")
        found = told["comparison"]
        refused = [
            await at.maker.get(f"{path}?compare_to={strange}")
            for strange in (
                first[made.workers["B"]]["id"],
                foreign["id"],
                "pchk_00000000000000000000000000",
                "x",
                "%00",
            )
        ]
        assert (await elsewhere.maker.get(f"{path}?compare_to={foreign['id']}")).status_code == 404
        itself = (await at.get(f"{path}?compare_to={after['id']}"))["comparison"]
    assert plain["comparison"] is None
    assert {key: told[key] for key in ("lines", "text", "tables")} == {
        key: plain[key] for key in ("lines", "text", "tables")
    }
    assert found["compared_to"] == before["id"]
    assert (found["net_before"], found["net_after"]) == (before["net"], after["net"])
    effects = [Fraction(line["effect_on_net"]) for line in found["lines"]]
    assert sum(effects) == Fraction(found["difference"]["amount"]) < 0
    for line in found["lines"]:
        assert sum(Fraction(change["effect_on_net"]) for change in line["changes"]) == Fraction(line["effect_on_net"])
    (regular,) = [line for line in found["lines"] if line["code"] == "regular"]
    assert [(each["name"], each["before"], each["after"]) for each in regular["changes"]] == [
        ("hours", "24.00", "8.00")
    ]
    assert found["text"][0].startswith(f"net pay: {before['net']['amount']} -> {after['net']['amount']}: -")
    assert (itself["difference"]["amount"], itself["lines"]) == ("0.00", [])
    for answer in refused:
        assert answer.status_code == 400
        [fault] = answer.json()["errors"]
        assert (fault["parameter"], fault["code"]) == ("compare_to", "not_found")
    assert len({answer.json()["detail"] for answer in refused}) == 1
