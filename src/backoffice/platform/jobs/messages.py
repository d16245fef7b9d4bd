"""What travels through a broker: which jobs of a tenant to try, and nothing about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

import dramatiq

from backoffice.platform.jobs.fairness import Key

QUEUE: Final = "run"
ACTOR: Final = "run"


Held: TypeAlias = "tuple[UUID, int]"  # job, fence


def message(keys: Sequence[Key], *, soon: bool) -> dramatiq.Message[Any]:
    """The message of releases of one tenant: its id, each job with its fence, and whether their end is waited for."""
    jobs = [[str(job), fence] for _, job, fence in keys]
    args = (str(keys[0][0]), jobs, soon)
    return dramatiq.Message(queue_name=QUEUE, actor_name=ACTOR, args=args, kwargs={}, options={})
