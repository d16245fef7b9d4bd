"""Older versions of what events tell. A body is stored once, at the version that was current then; an endpoint that is
pinned to an older one is sent it as that version told it, made from the stored one when it is sent.

When a breaking change of a payload comes, API_VERSION moves on, the date it had joins VERSIONS, and the domain declares
beside its events, for each type that changed, how to tell the new `data` in the old way:

    told_before("2026-11-21", "timesheet.approved", lambda data: …)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backoffice.platform.events import API_VERSION

Step = Callable[[dict[str, Any]], dict[str, Any]]

VERSIONS: list[str] = [API_VERSION]  # oldest first; the last is the current one
_STEPS: dict[tuple[str, str], Step] = {}


def told_before(version: str, type_: str, step: Step) -> None:
    """Declare how `data` of this type (`object`, which may be cut to its ids, `changed`, perhaps `previous`, `effects`)
    as the version after `version` tells it was told in `version`."""
    assert version in VERSIONS[:-1], f"{version} is not an older version"
    assert (version, type_) not in _STEPS, f"{type_} of {version} is declared twice"
    _STEPS[version, type_] = step


def as_of(version: str, told: dict[str, Any]) -> dict[str, Any]:
    """An event's body as this version tells it, step by step from its own. One that was recorded before this version
    came is told as it was recorded."""
    data = told["data"]
    between = [each for each in VERSIONS if version <= each < told["api_version"]]
    for each in reversed(between):
        if (step := _STEPS.get((each, told["type"]))) is not None:
            data = step(data)
    return {**told, "api_version": min(version, told["api_version"]), "data": data}
