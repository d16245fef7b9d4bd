"""What a job is to the code that starts it: a typed payload with a kind, a version and a few rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import msgspec

from backoffice.kernel.recurrence import CatchUp

Band = Literal["interactive", "normal", "bulk"]


class JobPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Subclass it in a domain's `schemas.py`. Ids and small facts only: a payload is not a place for personal data.

    - `kind`: `domain.verb`; `version`: raised when the fields change (an upcaster keeps older ones readable).
    - `band`: interactive before normal before bulk.
    - `quiet`: housekeeping; that it succeeded is told to nobody.
    - `out_of_turn`: waits for nothing where jobs take turns (`turns.py`).
    - `max_attempts`: tries of a failing handler, with exponential backoff from `backoff_seconds` to 100 times that.
    A field `scheduled_for: datetime` gets the fire time when a schedule starts the job.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    band: ClassVar[Band] = "normal"
    max_attempts: ClassVar[int] = 8
    backoff_seconds: ClassVar[float] = 1.0
    deadline_seconds: ClassVar[float] = 3600.0
    quiet: ClassVar[bool] = False
    out_of_turn: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Recurring:
    """A schedule that every tenant has, in its own time zone; `backoffice tenants apply` makes it. `rule` as
    `kernel.recurrence` reads it; `payload` without `scheduled_for`."""

    name: str
    rule: str
    catch_up: CatchUp = "one"
    catch_up_limit: int = 1
    payload: dict[str, Any] = field(default_factory=dict)
