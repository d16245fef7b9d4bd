"""Who is served next."""

from __future__ import annotations

from uuid import UUID

from backoffice.platform.courier.fairness import Fairness
from backoffice.platform.courier.lane import Lane
from backoffice.platform.courier.ports import LaneKey


def lane(number: int, *, tenant: int = 1, used: float = 0.0, limit: int = 1) -> Lane:
    return Lane(LaneKey(UUID(int=tenant), UUID(int=number)), limit=limit, used=used, due_at=0.0)


def chosen(fairness: Fairness, lanes: list[Lane], held: int = 0, by_tenant: dict[UUID, int] | None = None) -> list[int]:
    wants = fairness.choose(lanes, 1.0, held=held, by_tenant=by_tenant or {})
    return [want.lane.endpoint.int for want in wants]


def test_with_room_everybody_who_asks_gets_something() -> None:
    assert sorted(chosen(Fairness(1000), [lane(n, used=float(n)) for n in range(50)])) == list(range(50))


def test_when_it_is_tight_those_that_used_least_come_first() -> None:
    lanes = [lane(1, used=40.0), lane(2, used=0.1), lane(3, used=15.0), lane(4, used=0.2)]
    assert chosen(Fairness(2), lanes) == [2, 4]


def test_an_idle_lane_keeps_no_credit() -> None:
    fairness = Fairness(3)
    busy = lane(1, used=100.0)
    assert chosen(fairness, [busy]) == [1]
    newcomer = lane(2, used=0.0)
    chosen(fairness, [busy, newcomer])
    assert newcomer.used == 100.0


def test_of_equals_the_one_whose_tenant_holds_less() -> None:
    lanes = [lane(1, tenant=1), lane(2, tenant=2)]
    assert chosen(Fairness(1), lanes, by_tenant={UUID(int=1): 50, UUID(int=2): 1}) == [2]


def test_lanes_that_fail_share_half_of_the_window() -> None:
    failing = [lane(n) for n in range(100)]
    for each in failing:
        each.breaker.row = 1
    healthy = [lane(1000 + n, used=5.0) for n in range(10)]
    got = Fairness(200).choose([*failing, *healthy], 1.0, held=0, by_tenant={})
    assert sum(want.most for want in got if want.lane.endpoint.int < 1000) == 100
    assert {want.lane.endpoint.int for want in got if want.lane.endpoint.int >= 1000} == {1000 + n for n in range(10)}


def test_ninety_of_a_hundred_that_hang_leave_the_rest_their_share() -> None:
    """By seconds: in 30 s of a window of 10 slots, a receiver that takes 10 ms gets the slots that hangers leave."""
    fairness = Fairness(10)
    lanes = [lane(n) for n in range(100)]
    served = dict.fromkeys(range(100), 0)
    for _ in range(300):
        for number in chosen(fairness, lanes):
            each = lanes[number]
            each.used += 15.0 if number < 90 else 0.01
            served[number] += 1
    assert min(served[number] for number in range(90, 100)) > 10 * max(served[number] for number in range(90))


def test_replays_get_what_is_left_and_a_quarter_at_most() -> None:
    lanes = [lane(number, limit=8) for number in range(1, 5)]
    for each in lanes:
        each.is_due_within(0.0, replay=True)
    room = Fairness(200)
    wants = room.choose(lanes, 0.0, held=0, by_tenant={})
    assert [want.most for want in wants] == [24] * 4
    assert sum(want.replays for want in wants) == 32
    tight = Fairness(100).choose(lanes, 0.0, held=0, by_tenant={})
    assert sum(want.most for want in tight) == 96
    assert sum(want.replays for want in tight) == 4
    for each in lanes:
        each.due_at = None
    only = Fairness(100).choose(lanes, 0.0, held=10, by_tenant={}, replays=10)
    assert [(want.most, want.replays) for want in only] == [(0, 8), (0, 7)]


def test_of_what_is_claimed_at_once_a_quarter_is_replayed() -> None:
    lanes = [lane(n, limit=16) for n in range(50)]
    for each in lanes:
        each.is_due_within(0.0, replay=True)
        each.due_at = None
    got = Fairness(2_000, 400).choose(lanes, 1.0, held=0, by_tenant={})
    assert sum(want.replays for want in got) == 100


def test_what_lanes_that_fail_hold_counts_against_their_half() -> None:
    failing = [lane(n) for n in range(100)]
    for each in failing:
        each.breaker.row = 1
    got = Fairness(200).choose(failing, 1.0, held=60, by_tenant={}, suspects=60)
    assert sum(want.most for want in got) == 40
