"""What a job is to the code that starts it: a typed payload with a kind, a version and a few rules."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Band = Literal["interactive", "normal", "bulk"]


class JobPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Subclass it in a domain's `schemas.py`. Ids and small facts only: a payload is not a place for personal data.

    - `kind`: `domain.verb`; `version`: raised when the fields change (an upcaster keeps older ones readable).
    - `band`: interactive before normal before bulk.
    - `quiet`: housekeeping; that it succeeded is told to nobody.
    - `max_attempts`: tries of a failing handler, with exponential backoff from `backoff_seconds` to 100 times that.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    band: ClassVar[Band] = "normal"
    quiet: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 8
    backoff_seconds: ClassVar[float] = 1.0
    deadline_seconds: ClassVar[float] = 3600.0
