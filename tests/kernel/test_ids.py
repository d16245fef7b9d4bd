"""Ids: UUIDv7 that sort in the order of making, and their text form."""

from __future__ import annotations

import random
import re
import threading
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel import ids

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 7_000_000_000_000_000).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
PUBLISHED = re.compile(r"^[a-z]{2,8}_[0-9a-hjkmnp-tv-z]{26}$")


def milliseconds_of(value: UUID) -> int:
    return value.int >> 80


@given(INSTANTS)
def test_version_variant_and_instant(at: datetime) -> None:
    value = ids.IdMaker().make(at)
    assert value.version == 7
    assert value.variant == RFC_4122
    assert milliseconds_of(value) == (at - EPOCH) // MILLISECOND


def test_the_instant_may_be_in_any_zone_but_not_naive() -> None:
    elsewhere = NOON.astimezone(tz=None)
    assert milliseconds_of(ids.new(elsewhere)) == milliseconds_of(ids.new(NOON))
    with pytest.raises(TypeError):
        ids.new(datetime(2026, 11, 21))  # noqa: DTZ001


def test_no_id_is_a_millisecond_off() -> None:
    """As a float this instant × 1000 is a little under its whole number of milliseconds."""
    at = datetime(2038, 2, 8, 21, 25, 42, 516_000, tzinfo=UTC)
    assert int(at.timestamp() * 1000) != (at - EPOCH) // MILLISECOND
    assert milliseconds_of(ids.new(at)) == (at - EPOCH) // MILLISECOND


def test_order_within_a_millisecond_and_under_a_frozen_clock() -> None:
    maker = ids.IdMaker()
    made = [maker.make(NOON) for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert milliseconds_of(made[-1]) - milliseconds_of(made[0]) <= 5  # borrowed, 4,096 ids each


def test_order_over_milliseconds() -> None:
    maker = ids.IdMaker()
    made = [maker.make(NOON + k * MILLISECOND) for k in range(300) for _ in range(7)]
    assert made == sorted(made)


def test_a_frozen_clock_keeps_its_order_beside_running_ones() -> None:
    maker = ids.IdMaker()
    frozen = []
    for tick in range(3000):
        frozen.append(maker.make(NOON))
        maker.make(NOON + timedelta(days=1) + tick * MILLISECOND)
    assert frozen == sorted(frozen)


def test_memory_is_bounded() -> None:
    maker = ids.IdMaker()
    for tick in range(10_000):
        maker.make(NOON + tick * MILLISECOND)
    assert len(maker._last) <= 4096


def test_threads_make_no_id_twice() -> None:
    maker = ids.IdMaker()
    made: list[UUID] = []

    def work() -> None:
        mine = [maker.make(NOON) for _ in range(2000)]
        assert mine == sorted(mine)
        made.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({value.int >> 64 for value in made}) == 8000  # the counters alone tell them apart


@given(st.integers(0, 2**32), st.lists(INSTANTS, max_size=20))
def test_the_same_seed_gives_the_same_ids(seed: int, instants: list[datetime]) -> None:
    first, second = (ids.IdMaker(random.Random(seed).getrandbits) for _ in range(2))
    assert [first.make(at) for at in instants] == [second.make(at) for at in instants]


@given(st.uuids(), st.sampled_from(sorted(ids.PREFIXES)))
def test_text_round_trip(value: UUID, kind: str) -> None:
    text = ids.encode(kind, value)
    assert PUBLISHED.match(text)
    assert ids.decode(kind, text) == value


@given(st.uuids(), st.uuids())
def test_texts_sort_as_the_ids_do(first: UUID, second: UUID) -> None:
    assert (first < second) == (ids.encode("worker", first) < ids.encode("worker", second))


def test_extreme_ids() -> None:
    assert ids.encode("worker", UUID(int=0)) == "wrk_" + "0" * 26
    assert ids.encode("worker", UUID(int=2**128 - 1)) == "wrk_7" + "z" * 25


GOOD = ids.encode("worker", UUID("01930000-0000-7000-8000-0000000000aa"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + "\n",
        " " + GOOD,
        GOOD[:-1],
        GOOD + "0",
        GOOD.upper(),
        GOOD.replace("wrk_", "wrk-"),
        GOOD.replace("wrk_", "cli_"),
        GOOD.replace("wrk_", "zzz_"),
        GOOD[:-1] + "i",
        GOOD[:-1] + "u",
        GOOD[:-1] + "é",
        "wrk_8" + "0" * 25,  # more than 128 bits
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert ids.decode("worker", text) is None


@given(st.text())
def test_no_text_breaks_decoding(text: str) -> None:
    value = ids.decode("worker", text)
    assert value is None or ids.encode("worker", value) == text


def test_prefixes_are_unique_and_fit_the_published_pattern() -> None:
    assert len(set(ids.PREFIXES.values())) == len(ids.PREFIXES)
    assert all(re.fullmatch(r"[a-z]{2,8}", prefix) for prefix in ids.PREFIXES.values())
    with pytest.raises(KeyError):
        ids.encode("unicorn", UUID(int=0))
