"""What travels through a broker: which job to try, and nothing about it."""

from __future__ import annotations

from typing import Any, Final

import dramatiq

from backoffice.platform.jobs.fairness import Key

QUEUE: Final = "run"
ACTOR: Final = "run"


def message(key: Key) -> dramatiq.Message[Any]:
    """The message of a release: tenant, job and fence."""
    tenant, job, fence = key
    return dramatiq.Message(
        queue_name=QUEUE, actor_name=ACTOR, args=(str(tenant), str(job), fence), kwargs={}, options={}
    )
