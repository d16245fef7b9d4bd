"""Effects: what an event means for the front office, in a sentence it can pass on (API conventions §9)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

FRONT_OFFICE = ("front_office",)
FRONT_OFFICE_AND_WORKER = ("front_office", "worker")


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """`before` and `after` are JSON values (money as `{"amount","currency"}`); `message` is a plain sentence;
    `ask` is what we want of the reader, if anything."""

    kind: str
    subject: str
    before: Any = None
    after: Any = None
    visible_to: tuple[str, ...] = FRONT_OFFICE
    effective_at: datetime | None = None
    message: str
    ask: str | None = None
