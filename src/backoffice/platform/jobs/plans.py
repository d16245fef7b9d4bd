"""Plans: what each gives a tenant's jobs, read once from `plans.toml` beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

from backoffice.platform.jobs.errors import NotInPlan


@dataclass(frozen=True, slots=True)
class KindLimit:
    """Of one kind and tenant: at most so many in flight, and so many starts in any minute. None: no limit."""

    at_once: int | None = None
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`weight` and `max_in_flight` hold where the tenant's file says nothing else."""

    weight: int
    max_in_flight: int
    lacks: frozenset[str] = frozenset()
    kinds: dict[str, KindLimit] = field(default_factory=dict)


@cache
def plans() -> dict[str, Plan]:
    """The plans by name. ValidationError when the file is not what it should be."""
    document = tomllib.loads((files(__package__) / "plans.toml").read_text(encoding="utf-8"))
    msgspec.convert(document.pop("since"), date)
    return msgspec.convert(document, dict[str, Plan])


def find(name: str) -> Plan | None:
    """The plan of a tenant; None for one that this release does not know, or of a principal that has none."""
    return plans().get(name)


def has(name: str, kind: str) -> bool:
    """Whether the plan has the kind of jobs. One that is not known has all: nobody's work stops for a name."""
    plan = find(name)
    return plan is None or kind not in plan.lacks


def must_have(name: str, kind: str) -> None:
    """NotInPlan (403) when the plan lacks the kind."""
    if not has(name, kind):
        able = sorted(other for other, plan in plans().items() if kind not in plan.lacks)
        detail = f"The plan {name} does not have {kind}. Plans that do: {', '.join(able) or 'none'}."
        raise NotInPlan(detail, extra={"plan": name, "kind": kind})
