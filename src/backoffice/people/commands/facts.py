"""What a tenant's facts say about its people: asked once for a command, or once for a chunk of rows."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backoffice.accounts import queries as accounts
from backoffice.kernel.dates import local_date
from backoffice.kernel.errors import FaultList, NotFound
from backoffice.platform.tx import Row, Tx


@dataclass(frozen=True, slots=True)
class Facts:
    """`schedules` by name; `employer_id` None before the tenant file was applied; `today` in the tenant's zone."""

    ssn_areas: tuple[str, ...]
    schedules: dict[str, UUID]
    employer_id: UUID | None
    today: date

    def schedule_names(self) -> dict[UUID, str]:
        return {id_: name for name, id_ in self.schedules.items()}


async def facts_of(tx: Tx) -> Facts:
    settings = await accounts.tenant_settings(tx)
    try:
        employer_id = (await accounts.employer(tx)).id
    except NotFound:
        employer_id = None
    return Facts(
        ssn_areas=tuple(settings.identity_rules.ssn_areas),
        schedules={schedule.name: schedule.id for schedule in await accounts.pay_schedules(tx)},
        employer_id=employer_id,
        today=local_date(settings.time_zone, await tx.now()),
    )


def label(worker: Row) -> str:
    """A worker in a sentence, without a personal value."""
    return f"worker {worker['number']}"


def clean(faults: FaultList, pointer: str, text: str) -> str:
    """Text as it is stored: composed (NFC) and trimmed. A fault when nothing is left."""
    trimmed = unicodedata.normalize("NFC", text.strip())
    if not trimmed:
        faults.add(pointer, "blank", "must have at least one character that is no space")
    return trimmed
