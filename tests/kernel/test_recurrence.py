"""When a rule is due: on ordinary days, on nights when the clock changes, on days a month does not have."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.recurrence import GRACE, Rule, caught_up, due_from, fires, next_fire, parse

NEW_YORK = "America/New_York"
# Clock changes of an hour, of half an hour (Lord Howe), at midnight (Santiago, Beirut), of a whole day (Apia), none.
ZONES = (NEW_YORK, "Europe/London", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "Asia/Tokyo",
         "Pacific/Apia", "UTC")  # fmt: skip


def local(text: str, zone: str = NEW_YORK, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


rules = st.one_of(
    st.builds(Rule, st.just("day"), st.times().map(lambda at: at.replace(second=0, microsecond=0))),
    st.builds(Rule, st.just("weekday"), st.times().map(lambda at: at.replace(second=0, microsecond=0))),
    st.builds(
        Rule,
        st.just("week"),
        st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        st.sets(st.integers(0, 6), min_size=1).map(lambda on: tuple(sorted(on))),
    ),
    st.builds(
        Rule,
        st.just("month"),
        st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        st.sets(st.integers(1, 31), min_size=1, max_size=4).map(lambda on: tuple(sorted(on))),
    ),
    st.builds(
        Rule,
        st.just("year"),
        st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        st.sets(st.dates(date(2024, 1, 1), date(2024, 12, 31)), min_size=1, max_size=4).map(
            lambda days: tuple(sorted(day.month * 100 + day.day for day in days))
        ),
    ),
)
instants = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@given(rules)
def test_a_rule_is_read_as_it_is_written(rule: Rule) -> None:
    assert parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "", "daily", "daily at 6:00", "daily at 24:00", "daily at 06:60", "daily on monday at 06:00",
        "weekly at 06:00", "weekly on mon at 06:00", "weekly on monday, monday at 06:00", "monthly on 0 at 06:00",
        "monthly on 32 at 06:00", "monthly on 31, last at 06:00", "yearly on 02-30 at 06:00", "yearly on 1 at 06:00",
        "hourly at 00:10", " daily at 06:00", "daily at 06:00\n",
        "weekly on monday,, friday at 06:00", "daily at ٠٦:٠٠",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|is no|names a day twice"):
        parse(text)


@given(rules, st.sampled_from(ZONES), instants)
def test_each_day_once_in_order_and_after(rule: Rule, zone: str, after: datetime) -> None:
    """A year and more of fire times, beside the days counted by hand."""
    end = after + timedelta(days=400)
    found = list(takewhile(lambda at: at < end, fires(rule, zone, after)))
    assert all(earlier < later for earlier, later in zip([after, *found], found, strict=False))
    zone_ = ZoneInfo(zone)
    shown = [at.astimezone(zone_) for at in found]
    for at in shown:
        if (
            at.time() != rule.at
        ):  # only where the clock skips the time: nothing shows it, and a second before is earlier
            before = (at.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone_)
            assert before.utcoffset() != at.utcoffset()
            assert (before.date(), before.time()) <= (at.date(), at.time())
    first, last = after.astimezone(zone_).date(), end.astimezone(zone_).date()
    days = [first + timedelta(n) for n in range(2, (last - first).days - 1)]  # away from the ends
    wanted = [day for day in days if rule.holds(day)]
    gap = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()  # the day Samoa did not have
    of_days = {at.date() for at in shown if at.time() == rule.at}
    late = len([at for at in shown if at.time() != rule.at])
    assert late <= 3
    assert len([day for day in wanted if day not in of_days and day not in gap]) <= late


@given(rules, st.sampled_from(ZONES), instants, st.integers(0, 20))
def test_asking_again_from_a_fire_time_gives_the_one_after_it(
    rule: Rule, zone: str, after: datetime, place: int
) -> None:
    found = list(islice(fires(rule, zone, after), place + 2))
    assert next_fire(rule, zone, found[place]) == found[place + 1]
    assert next_fire(rule, zone, found[place] - timedelta(microseconds=1)) == found[place]
    assert due_from(rule, zone, found[0], found[-1]) == found
    assert due_from(rule, zone, found[0], found[0] - timedelta(microseconds=1)) == []
    assert len(due_from(rule, zone, found[0], found[-1], most=3)) == min(4, len(found))


def test_a_time_the_clock_skips_is_the_first_instant_after_the_gap() -> None:
    rule = parse("daily at 02:30")
    found = list(islice(fires(rule, NEW_YORK, local("2026-03-07T00:00")), 3))
    assert found == [local("2026-03-07T02:30"), local("2026-03-08T03:00"), local("2026-03-09T02:30")]
    assert next_fire(parse("daily at 02:15"), "Australia/Lord_Howe", datetime(2026, 10, 3, 14, 45, tzinfo=UTC)) == (
        datetime(2026, 10, 3, 15, 30, tzinfo=UTC)  # half an hour is skipped
    )


def test_a_time_the_clock_shows_twice_is_the_first() -> None:
    found = list(islice(fires(parse("daily at 01:30"), NEW_YORK, local("2026-10-31T12:00")), 2))
    assert found == [local("2026-11-01T01:30"), local("2026-11-02T01:30")]
    assert found[0] == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    # between the two readings there is nothing more to come on that day
    assert next_fire(parse("daily at 01:30"), NEW_YORK, local("2026-11-01T01:30", fold=1)) == local("2026-11-02T01:30")


def test_a_day_that_is_skipped_whole() -> None:
    """Samoa had no 30 December 2011: what was due then is due at the first instant of the 31st, and the 31st has its
    own."""
    found = list(islice(fires(parse("daily at 06:00"), "Pacific/Apia", local("2011-12-29T06:00", "Pacific/Apia")), 2))
    assert found == [local("2011-12-31T00:00", "Pacific/Apia"), local("2011-12-31T06:00", "Pacific/Apia")]
    midnight = list(
        islice(fires(parse("daily at 00:00"), "Pacific/Apia", local("2011-12-29T00:00", "Pacific/Apia")), 2)
    )
    assert midnight == [local("2011-12-31T00:00", "Pacific/Apia"), local("2012-01-01T00:00", "Pacific/Apia")]


def test_a_day_the_month_does_not_have_is_its_last() -> None:
    leap = list(islice(fires(parse("yearly on 02-29 at 09:00"), NEW_YORK, local("2026-01-01T00:00")), 3))
    assert leap == [local("2027-02-28T09:00") if n else local("2026-02-28T09:00") for n in range(2)] + [
        local("2028-02-29T09:00")
    ]
    months = list(islice(fires(parse("monthly on last at 09:00"), NEW_YORK, local("2026-01-01T00:00")), 4))
    assert [at.astimezone(ZoneInfo(NEW_YORK)).day for at in months] == [31, 28, 31, 30]
    both = list(islice(fires(parse("monthly on 30, 31 at 09:00"), NEW_YORK, local("2026-02-01T00:00")), 3))
    assert both == [local("2026-02-28T09:00"), local("2026-03-30T09:00"), local("2026-03-31T09:00")]


def test_the_last_years() -> None:
    assert next_fire(parse("daily at 00:00"), NEW_YORK, datetime(9999, 1, 2, tzinfo=UTC)) is None
    assert next_fire(Rule("day", time(0)), "UTC", datetime(1, 1, 1, tzinfo=UTC)) == datetime(1, 1, 2, tzinfo=UTC)


def test_what_was_missed_is_caught_up_by_the_rule() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    due = [now - timedelta(days=days) for days in (3, 2, 1)]
    assert caught_up(due, now, "none", 5) == []
    assert caught_up(due, now, "one", 5) == due[-1:]
    assert caught_up(due, now, "all", 2) == due[-2:]
    assert caught_up(due, now, "all", 5) == due
    on_time = [now - timedelta(days=1), now - GRACE]
    assert caught_up(on_time, now, "none", 5) == on_time[-1:]
    assert caught_up([now - GRACE - timedelta(seconds=1)], now, "none", 5) == []
