"""Fair release as arithmetic: a simulation of slots, and the properties of one plan."""

from __future__ import annotations

import heapq
from collections import defaultdict
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from backoffice.platform.jobs.dispatch import window
from backoffice.platform.jobs.fairness import BANDS, NEW_SECONDS, Fairness, InFlight, Limit

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def simulate(
    limits: dict[UUID, Limit], seconds: dict[UUID, float], *, slots: int, until: float, late: dict[UUID, float]
) -> dict[UUID, float]:
    """Endless backlogs of equal jobs by tenant, from `late[tenant]` on: slot-seconds each tenant got."""
    book = Fairness(limits)
    now = 0.0
    fence = 0
    ends: list[tuple[float, tuple[UUID, UUID, int]]] = []
    running: dict[tuple[UUID, UUID, int], float] = {}
    got: defaultdict[UUID, float] = defaultdict(float)
    while now < until:
        live = [InFlight(key, "normal", now - began) for key, began in running.items()]
        book.settle({key: seconds[key[0]] for key in book.gone(live)})
        book.observe(live)
        ready = {"normal": {tenant for tenant in limits if now >= late.get(tenant, 0.0)}}
        for grant in book.plan(slots=slots, window=slots, live=live, ready=ready):
            keys = []
            for _ in range(grant.count):
                fence += 1
                key = (grant.tenant, uuid4(), fence)
                keys.append(key)
                running[key] = now
                heapq.heappush(ends, (now + seconds[grant.tenant], key))
            book.correct(grant, keys)
        now, key = heapq.heappop(ends)
        got[key[0]] += seconds[key[0]]
        del running[key]
    return got


def test_slot_seconds_are_shared_and_not_counts() -> None:
    """By count a tenant of 500 ms jobs would take 96 % of the slots from one of 20 ms jobs."""
    limits = {A: Limit(1, 1000), B: Limit(1, 1000)}
    got = simulate(limits, {A: 0.5, B: 0.02}, slots=8, until=60, late={})
    share = got[A] / (got[A] + got[B])
    assert 0.45 < share < 0.55


def test_weights_are_shares() -> None:
    limits = {A: Limit(3, 1000), B: Limit(1, 1000)}
    got = simulate(limits, {A: 0.1, B: 0.1}, slots=8, until=60, late={})
    assert 0.70 < got[A] / (got[A] + got[B]) < 0.80


def test_64_tenants_jain_index() -> None:
    tenants = {UUID(int=number): 0.02 * (1 + number % 25) for number in range(1, 65)}
    got = simulate(dict.fromkeys(tenants, Limit(1, 1000)), tenants, slots=8, until=300, late={})
    values = [got[tenant] for tenant in tenants]
    jain = sum(values) ** 2 / (len(values) * sum(value**2 for value in values))
    assert jain > 0.99


def test_idle_tenants_keep_no_credit() -> None:
    """One that comes after 30 s gets its share from then on, and not what it did not use."""
    limits = {A: Limit(1, 1000), B: Limit(1, 1000)}
    got = simulate(limits, {A: 0.1, B: 0.1}, slots=4, until=60, late={B: 30.0})
    assert 0.45 < got[B] / (30 * 4) < 0.55


def test_a_long_job_pays_while_it_runs() -> None:
    book = Fairness({A: Limit(1, 1000), B: Limit(1, 1000)})
    [grant] = book.plan(slots=2, window=1, live=[], ready={"normal": [A]})
    key = (A, uuid4(), 1)
    book.correct(grant, [key])
    live = [InFlight(key, "normal", 300.0)]
    book.observe(live)
    grants = book.plan(slots=4, window=4, live=live, ready={"normal": [A, B]})
    assert {grant.tenant: grant.count for grant in grants} == {B: 3}


def test_bands_are_strict_but_for_a_tenth() -> None:
    book = Fairness({A: Limit(1, 1000), B: Limit(1, 1000), C: Limit(1, 1000)})
    ready = {"interactive": [A], "normal": [B], "bulk": [C]}
    grants = book.plan(slots=20, window=30, live=[], ready=ready)
    assert {grant.band: grant.count for grant in grants} == {"bulk": 2, "interactive": 28}
    live = [InFlight((C, uuid4(), 1), "bulk", 1.0), InFlight((C, uuid4(), 2), "bulk", 1.0)]
    grants = book.plan(slots=20, window=30, live=live, ready=ready)
    assert {grant.band: grant.count for grant in grants} == {"interactive": 28}


def test_what_was_not_there_is_not_paid_for() -> None:
    book = Fairness({A: Limit(1, 1000), B: Limit(1, 1000)})
    for _ in range(50):  # A seems ready and never is
        for grant in book.plan(slots=2, window=2, live=[], ready={"normal": [A]}):
            book.correct(grant, [])
    grants = book.plan(slots=2, window=2, live=[], ready={"normal": [A, B]})
    assert {grant.tenant: grant.count for grant in grants} == {A: 1, B: 1}


def test_who_had_no_work_a_moment_ago_is_a_newcomer() -> None:
    book = Fairness({A: Limit(1, 100), B: Limit(1, 100)})
    assert book.meet([A], 10.0) == {A}
    assert book.meet([A], 10.0 + NEW_SECONDS - 0.01) == {A}
    assert book.meet([A, B], 10.0 + NEW_SECONDS) == {B}
    assert book.meet([A], 11.0) == set()
    assert book.meet([A, B], 12.0) == {B}  # after a pause it comes anew
    assert book.meet([A, B], 12.0 + NEW_SECONDS) == set()  # who always has work is none


def _granted(book: Fairness, live: int, *, slots: int = 64) -> dict[UUID, int]:
    """What A and B get who have endless work, when A has so many in flight."""
    running = [InFlight((A, UUID(int=place), 1), "normal", 0.001) for place in range(live)]
    grants = book.plan(slots=slots, window=window(slots), live=running, ready={"normal": [A, B]})
    for grant in grants:
        book.correct(grant, [])
    return {grant.tenant: grant.count for grant in grants}


def test_quick_jobs_leave_room_while_newcomers_come() -> None:
    book = Fairness({A: Limit(4, 64), B: Limit(1, 8)})
    _after(book, A, 0.001, 20)
    book.meet([A], 10.0)
    assert _granted(book, 0) == {A: 64, B: 8}  # itself a newcomer
    book.meet([A], 11.0)
    book.meet([A], 12.0)
    assert _granted(book, 0) == {A: 64, B: 8}  # nobody else came
    book.meet([A, B], 13.0)
    assert _granted(book, 0) == {A: 16, B: 8}
    assert _granted(book, 14) == {A: 2, B: 8}
    assert _granted(book, 50) == {B: 8}
    assert sum(_granted(book, 0, slots=8).values()) == 12  # of few slots the window alone holds it
    book.meet([A], 13.9)
    assert _granted(book, 0)[A] == 16  # the next may come
    book.meet([A], 15.0)
    assert _granted(book, 0)[A] == 64
    book.meet([], 16.0)
    book.meet([A, B], 17.0)
    assert _granted(book, 0) == {A: 64, B: 8}  # both are newcomers: neither leaves room for the other


def test_jobs_that_are_not_quick_leave_no_room() -> None:
    """They wait for something else than a processor, and slots are there for them."""
    book = Fairness({A: Limit(4, 64), B: Limit(1, 8)})
    _after(book, A, 0.2, 20)
    book.meet([A], 10.0)
    book.meet([A, B], 11.0)
    assert _granted(book, 0) == {A: 64, B: 8}


def _after(book: Fairness, tenant: UUID, seconds: float, times: int) -> list[int]:
    """The sizes of the batches of 100 released jobs, after so many rounds of jobs that took so long."""
    for number in range(times):
        for grant in book.plan(slots=8, window=8, live=[], ready={"normal": [tenant]}):
            keys = [(tenant, UUID(int=place), number) for place in range(grant.count)]
            book.correct(grant, keys)
            book.settle(dict.fromkeys(keys, seconds))
    return [len(batch) for batch in book.batches([(tenant, UUID(int=place), 1) for place in range(100)])]


def test_quick_jobs_travel_together_and_slow_ones_alone() -> None:
    book = Fairness({A: Limit(1, 100), B: Limit(1, 100)})
    assert _after(book, A, 0.01, 0) == [1] * 100  # of what is not known yet
    assert _after(book, A, 0.01, 20) == [*[16] * 6, 4]
    assert _after(book, A, 0.04, 20) == [*[16] * 6, 4]  # quick enough to stay, with their company
    assert _after(book, A, 0.2, 20) == [1] * 100
    mixed = [(A, UUID(int=1), 1), (A, UUID(int=2), 1), (B, UUID(int=3), 1)]
    _after(book, A, 0.01, 20)
    assert [[key[0] for key in batch] for batch in book.batches(mixed)] == [[A, A], [B]]


@given(
    slots=st.integers(0, 40),
    caps=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    live=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(BANDS)), max_size=60),
    ready=st.dictionaries(st.sampled_from(BANDS), st.sets(st.integers(0, 7)), max_size=3),
)
def test_no_plan_exceeds_a_cap_or_the_window(
    slots: int, caps: list[int], live: list[tuple[int, str]], ready: dict[str, set[int]]
) -> None:
    limits = {UUID(int=number): Limit(1, cap) for number, cap in enumerate(caps)}
    book = Fairness(limits)
    running = [InFlight((UUID(int=tenant), uuid4(), 1), band, None) for tenant, band in live]
    backlog = {band: [UUID(int=tenant) for tenant in tenants] for band, tenants in ready.items()}
    grants = book.plan(slots=slots, window=window(slots), live=running, ready=backlog)
    total: defaultdict[UUID, int] = defaultdict(int)
    for grant in grants:
        assert grant.count > 0
        assert grant.tenant in backlog[grant.band]
        total[grant.tenant] += grant.count
    assert sum(total.values()) <= max(0, window(slots) - len(running))
    for tenant, count in total.items():
        before = sum(each.tenant == tenant for each in running)
        assert before + count <= limits[tenant].cap
    could = any(
        tenant in limits and sum(each.tenant == tenant for each in running) < limits[tenant].cap
        for tenants in backlog.values()
        for tenant in tenants
    )
    if could and len(running) < window(slots):
        assert grants  # work is not left lying while there is room
