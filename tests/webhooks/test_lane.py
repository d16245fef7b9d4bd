"""Lanes: order per object, slow start, the breaker. Pure: time is a number here."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.lane import FIRST_PROBE, LONGEST_PROBE, Breaker, Item, Lane
from backoffice.platform.courier.ports import Claimed, Envelope, LaneKey, Turn, Want

KEY = LaneKey(UUID(int=1), UUID(int=2))


def claimed(number: int, about: int = 0) -> Claimed:
    return Claimed(KEY, UUID(int=1000 + number), UUID(int=2000 + number), UUID(int=about), number, 0, 1, lease_ends=1e9)


def envelope(version: int = 1, most: int = 16) -> Envelope:
    return Envelope("https://a.example", "evt_1", b"{}", ("whsec_",), most, False, version)


def accepted(lane: Lane, each: Claimed) -> Item:
    item = lane.accept(each)
    assert isinstance(item, Item)
    return item


def loaded(*numbers: tuple[int, int], limit: int = 64) -> Lane:
    """A lane with (number, object) ready to go."""
    lane = Lane(KEY, limit=limit, most=64)
    for number, about in numbers:
        each = claimed(number, about)
        lane.address(accepted(lane, each), envelope(most=64), 0.0)
        lane.limit = limit
    return lane


def start(lane: Lane, now: float = 0.0) -> list[Item]:
    items = []
    while item := lane.next_item(now):
        items.append(item)
    return items


def numbers(items: list[Item]) -> list[int]:
    return [item.claimed.sequence for item in items]


def test_what_is_our_own_fault_opens_no_breaker() -> None:
    lane = loaded(*((n, n) for n in range(30)))
    for item in start(lane):
        _, opened = lane.refused(item, 0.0, delay=5.0, hold=5.0, slower=False, ours=True)
        assert not opened
    assert (lane.breaker.row, lane.breaker.is_open) == (0, False)
    assert lane.hold_until == 5.0


def test_slow_start_doubles_on_success_and_halves_on_a_timeout() -> None:
    lane = loaded(*((n, n) for n in range(40)), limit=1)
    seen = []
    for _ in range(4):
        items = start(lane)
        seen.append(len(items))
        lane.delivered(items[0], 0.0)
        for item in items[1:]:
            lane.in_flight -= 1  # the others come back later
            lane._forget(item)
    assert seen == [1, 2, 4, 8]
    (item, *_) = start(lane)
    before = lane.limit
    lane.refused(item, 0.0, delay=5.0, hold=0.0, slower=True)
    assert lane.limit == before // 2


def test_one_object_goes_one_after_the_other_and_others_beside_it() -> None:
    lane = loaded((1, 7), (2, 7), (3, 8), (4, 7))
    first = start(lane)
    assert numbers(first) == [1, 3]
    lane.delivered(first[0], 0.0)
    assert numbers(start(lane)) == [2]


def test_a_failure_takes_back_what_follows_of_its_object_until_it_is_written() -> None:
    lane = loaded((1, 7), (2, 7), (3, 8))
    first, other = start(lane)
    back, opened = lane.refused(first, 0.0, delay=5.0, hold=0.0, slower=False)
    assert (numbers(back), opened) == ([2], False)
    assert lane.accept(claimed(4, 7)) == 5.0  # joins while the failure is not written: goes back too
    lane.written(first.claimed)
    accepted(lane, claimed(5, 7))
    lane.delivered(other, 0.0)


def test_what_waits_for_its_payload_is_not_overtaken() -> None:
    lane = Lane(KEY, limit=8)
    one, two = accepted(lane, claimed(1, 7)), accepted(lane, claimed(2, 7))
    lane.address(two, envelope(), 0.0)
    lane.limit = 8
    assert start(lane) == []
    lane.address(one, envelope(), 0.0)
    assert numbers(start(lane)) == [1]


def test_a_dropped_delivery_takes_those_behind_it_along() -> None:
    lane = loaded((1, 7), (2, 7), (3, 7))
    item = next(iter(lane.items.values()))
    dropped = lane.drop(item.claimed)
    assert numbers(dropped) == [1, 2, 3]
    assert lane.drop(item.claimed) == []
    assert start(lane) == []


def test_nothing_is_sent_past_its_lease() -> None:
    lane = Lane(KEY, limit=8)
    each = claimed(1)
    each.lease_ends = 10.0
    lane.address(accepted(lane, each), envelope(), 0.0)
    assert lane.next_item(10.0) is None
    assert numbers(lane.take_expired()) == [1]
    assert not lane.items


def test_the_breaker_opens_after_five_in_a_row_and_probes_ever_more_rarely() -> None:
    breaker = Breaker()
    assert [breaker.failed(0.0) for _ in range(5)] == [False, False, False, False, True]
    assert breaker.open_until == FIRST_PROBE
    now, waits = FIRST_PROBE, []
    for _ in range(7):
        assert not breaker.failed(now)
        assert breaker.open_until is not None
        waits.append(breaker.open_until - now)
        now = breaker.open_until
    assert waits == [60.0, 120.0, 240.0, 480.0, LONGEST_PROBE, LONGEST_PROBE, LONGEST_PROBE]
    breaker.succeeded()
    assert not breaker.is_open


def test_the_breaker_opens_when_half_of_twenty_fail() -> None:
    breaker = Breaker()
    opened = []
    for number in range(20):
        if number % 2:
            opened.append(breaker.failed(0.0))
        else:
            breaker.succeeded()
    assert opened == [False] * 9 + [True]


def test_while_open_one_probe_goes_and_a_change_closes_it() -> None:
    lane = loaded(*((n, n) for n in range(10)))
    lane.due_at = 0.0
    for item in start(lane)[:5]:
        lane.refused(item, 0.0, delay=5.0, hold=0.0, slower=False)
    assert lane.breaker.is_open
    lane.unstarted()
    lane.items.clear()
    assert lane.wants(1.0) is None
    assert lane.wakes_at(1.0) == FIRST_PROBE
    assert lane.wants(FIRST_PROBE) == Want(KEY, 1)
    lane.changed(2)
    want = lane.wants(1.0)
    assert want is not None
    assert (want.most > 1, want.replays) == (True, 0)


def test_a_claim_that_comes_when_the_breaker_has_opened_goes_back() -> None:
    """Or it would lie in memory, under lease, with nobody to start it."""
    hands = Hands(first_probe=30.0)
    lane = hands.lane(KEY, 0.0)
    lane.breaker.open_until = 30.0
    hands.take(claimed(1), 10.0)
    assert [(result.state, result.tried, result.delay) for result in hands.results] == [("ready", False, 0.0)]
    assert not lane.items
    hands.take(claimed(2), 30.0)  # the probe
    assert len(lane.items) == 1


def test_only_lanes_that_know_of_work_are_asked_and_only_those_that_fail_are_suspects() -> None:
    hands = Hands(first_probe=30.0)
    hands.is_due(KEY, 1.0, 0.0)
    hands.is_due(KEY, 2.0, 0.0, replay=True)
    lane = hands.due[KEY]
    assert (lane.due_at, lane.replay_due_at) == (1.0, 2.0)
    hands.asked(Want(KEY, 1))
    assert list(hands.due) == [KEY], "its replays are yet to be asked for"
    hands.asked(Want(KEY, 0, 1))
    assert not hands.due
    hands.take(claimed(1), 0.0)
    hands.troubled[KEY] = lane
    assert hands.suspects() == 0
    lane.breaker.row = 1
    assert hands.suspects() == 1
    lane.breaker.row = 0
    hands.forget_lanes(0.0)
    assert (list(hands.lanes), list(hands.troubled)) == ([KEY], [])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=14),
    st.lists(st.tuples(st.sampled_from(["ok", "fail", "write", "claim"]), st.integers(0, 5)), max_size=80),
)
def test_no_schedule_sends_an_object_out_of_order(objects: list[int], steps: list[tuple[str, int]]) -> None:
    """The table and the lane together: whatever fails, is given back, claimed again or written late, the deliveries of
    one object succeed in their order, and none starts while an earlier one is open."""
    waiting = list(range(len(objects)))  # ready in the table
    unwritten: list[int] = []  # failed, outcome not in the table yet
    leased: set[int] = set()
    done: list[int] = []
    lane = Lane(KEY, limit=8, most=8)
    running: list[Item] = []

    def write() -> None:
        for number in unwritten:
            leased.discard(number)
            lane.written(claimed(number, objects[number]))
        waiting.extend(unwritten)
        unwritten.clear()

    def claim(most: int) -> None:
        write()  # the ledger loop writes and claims in one transaction
        take = sorted(waiting)[: most + 1]
        for number in take:
            earlier = [n for n in waiting if n < number and objects[n] == objects[number] and n not in take]
            if earlier:
                continue  # the claim's SQL puts it off
            waiting.remove(number)
            leased.add(number)
            each = claimed(number, objects[number])
            item = lane.accept(each)
            if isinstance(item, Item):
                lane.address(item, envelope(most=8), 0.0)
                lane.limit = 8
            else:
                leased.discard(number)
                waiting.append(number)

    def begin() -> None:
        while item := lane.next_item(0.0):
            number = item.claimed.sequence
            open_before = [n for n in range(number) if objects[n] == objects[number] and n not in done]
            assert not open_before, (number, open_before)
            running.append(item)

    for step, which in steps:
        if step == "claim":
            claim(which)
        elif step == "write":
            write()
        elif running:
            item = running.pop(which % len(running))
            number = item.claimed.sequence
            if step == "ok":
                done.append(number)
                leased.discard(number)
                lane.delivered(item, 0.0)
            else:
                back, _ = lane.refused(item, 0.0, delay=1.0, hold=0.0, slower=False)
                lane.breaker.reset_if_open()
                lane.breaker.row = 0
                unwritten.append(number)
                for each in back:
                    leased.discard(each.claimed.sequence)
                    waiting.append(each.claimed.sequence)
        begin()
    for about in set(objects):
        mine = [number for number in done if objects[number] == about]
        assert mine == sorted(mine)


def replayed(number: int, about: int = 0, turn: Turn = "again") -> Claimed:
    each = claimed(number, about)
    each.turn = turn
    return each


def test_replays_go_last_and_leave_one_request_free() -> None:
    lane = loaded(limit=4)
    for each in (*(replayed(n, n) for n in range(10, 16)), *(claimed(n, n) for n in range(2))):
        lane.address(accepted(lane, each), envelope(most=4), 0.0)
        lane.limit = 4
    assert numbers(start(lane)) == [0, 1, 10, 11]
    idle = loaded(limit=4)
    for each in (replayed(n, n) for n in range(10, 16)):
        idle.address(accepted(idle, each), envelope(most=4), 0.0)
        idle.limit = 4
    first = start(idle)
    assert numbers(first) == [10, 11, 12]
    fresh = claimed(1, 1)
    idle.address(accepted(idle, fresh), envelope(most=4), 0.0)
    idle.limit = 4
    assert numbers(start(idle)) == [1]
    idle.delivered(first[0], 0.0)
    assert numbers(start(idle)) == [13]


def test_what_is_asked_for_is_counted_apart() -> None:
    lane = loaded(limit=4)
    lane.is_due_within(0.0)
    lane.is_due_within(0.0, replay=True)
    assert lane.wants(0.0) == Want(KEY, 12, 4)
    lane.asked(Want(KEY, 0, 4))
    assert lane.wants(0.0) == Want(KEY, 12, 0)
    lane.accept(replayed(1))
    lane.is_due_within(5.0, replay=True)
    lane.asked(Want(KEY, 12))
    assert lane.wakes_at(1.0) == 5.0
    assert lane.wants(5.0) == Want(KEY, 0, 3)


def test_a_repeat_holds_up_nothing_and_a_late_one_does() -> None:
    for turn, goes in (("again", [2]), ("late", [])):
        lane = loaded(limit=4)
        for each in (replayed(1, 7, turn), claimed(2, 7)):  # type: ignore[arg-type]
            lane.accept(each)
        for item in list(lane.items.values())[1:]:
            lane.address(item, envelope(most=4), 0.0)
        lane.limit = 4
        assert numbers(start(lane)) == goes
