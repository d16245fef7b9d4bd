"""Which handler does which kind of job. A domain's `jobs.py` registers its handlers when it is imported.

@handles(CalculateRun, preview=commands.calculate)
async def calculate(run: JobRun, payload: CalculateRun) -> None:
    await run.step("gross_to_net", commands.calculate, payload)
    await run.finish(commands.mark_calculated, payload)
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from backoffice.platform.jobs.errors import PayloadRefused
from backoffice.platform.jobs.kinds import JobPayload, Recurring
from backoffice.platform.web.problems import PreviewTooLarge

if TYPE_CHECKING:
    from backoffice.platform.jobs.run import JobRun
    from backoffice.platform.tx import Tx

P = TypeVar("P", bound=JobPayload)

Handler = Callable[["JobRun", P], Awaitable[Any]]
Preview = Callable[["Tx", P], Awaitable[Any]]
Unfinished = Callable[["Tx", P, str], Awaitable[Any]]
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

PREVIEW_LIMIT = 200  # jobs of one dry run


@dataclass(frozen=True, slots=True)
class Handled:
    """A kind of job and what is done for it."""

    payload: type[JobPayload]
    handler: Handler[Any]
    preview: Preview[Any] | None = None
    unfinished: Unfinished[Any] | None = None
    upcasters: Mapping[int, Upcaster] = field(default_factory=dict)
    schedulable: bool = False
    recurring: tuple[Recurring, ...] = ()

    def decode(self, version: int, payload: Mapping[str, Any]) -> JobPayload:
        """The payload as stored by a release that knew `version`, in today's form. PayloadRefused when it does not
        fit, or an upcaster on the way is missing."""
        body = dict(payload)
        try:
            for step in range(version, self.payload.version):
                body = self.upcasters[step](body)
            return msgspec.convert(body, self.payload)
        except (msgspec.ValidationError, KeyError) as error:
            raise PayloadRefused(f"Version {version} of {self.payload.kind} cannot be read.") from error


_handled: dict[str, Handled] = {}


def handles(
    payload: type[P],
    *,
    preview: Preview[P] | None = None,
    unfinished: Unfinished[P] | None = None,
    upcasters: Mapping[int, Upcaster] | None = None,
    schedulable: bool = False,
    recurring: Sequence[Recurring] = (),
) -> Callable[[Handler[P]], Handler[P]]:
    """Register the handler of a kind: `async def handler(run: JobRun, payload) -> result | None`.

    - `preview(tx, payload)`: the job's own command, run inside a dry-run request that would start the job.
    - `unfinished(tx, payload, status)`: run in the transaction that ends the job without success (`status` is
      "failed" or "canceled"), so that the object it worked on does not stand in a working state for ever.
    - `upcasters`: by version, a function from that version's fields to the next one's.
    - `schedulable`: a firm may put the kind on a schedule of its own; `recurring`: schedules that every tenant has.
    """
    assert payload.kind not in _handled, f"{payload.kind} has a handler already"
    assert set(upcasters or {}) >= set(range(1, payload.version)), f"{payload.kind}: an upcaster is missing"

    def register(handler: Handler[P]) -> Handler[P]:
        _handled[payload.kind] = Handled(
            payload, handler, preview, unfinished, dict(upcasters or {}), schedulable, tuple(recurring)
        )
        return handler

    return register


def find(kind: str, version: int) -> Handled | None:
    """What handles a stored job; None for a kind, or a version of it, that only a newer release knows."""
    handled = _handled.get(kind)
    return None if handled is None or version > handled.payload.version else handled


def kinds() -> list[str]:
    """The kinds this process can handle."""
    return sorted(_handled)


def every_tenants() -> list[tuple[Recurring, type[JobPayload]]]:
    """The schedules that every tenant has, by name, with what they start."""
    load()
    found = [(each, handled.payload) for handled in _handled.values() for each in handled.recurring]
    return sorted(found, key=lambda pair: pair[0].name)


def to_schedule(kind: str, payload: Mapping[str, Any]) -> type[JobPayload]:
    """What a firm's own schedule starts. ValueError(field, what would be right), where the field is "kind" or
    "payload", for a kind that a firm cannot schedule and for a payload that the kind does not take."""
    load()
    handled = _handled.get(kind)
    if handled is None or not handled.schedulable:
        offered = ", ".join(sorted(name for name, each in _handled.items() if each.schedulable))
        raise ValueError("kind", f'"{kind}" cannot be put on a schedule; what can: {offered}')
    known = {each.name for each in msgspec.structs.fields(handled.payload)} - {"scheduled_for"}
    if unknown := sorted(payload.keys() - known):
        raise ValueError(
            "payload", f"{', '.join(unknown)} is not known to {kind}; known are: {', '.join(sorted(known))}"
        )
    try:
        handled.decode(handled.payload.version, {**payload, "scheduled_for": datetime(2026, 1, 1, tzinfo=UTC)})
    except PayloadRefused as refused:
        raise ValueError("payload", f"does not fit {kind}: {refused.__cause__}") from None
    return handled.payload


async def preview(tx: Tx) -> None:
    """Inside a dry run: run the command of every job the request would only have queued, also of those that these
    start. PreviewTooLarge above 200 jobs."""
    place = 0
    while place < len(tx.started):
        if place >= PREVIEW_LIMIT:
            raise PreviewTooLarge(f"The request would start more than {PREVIEW_LIMIT} jobs; send it in parts.")
        payload = tx.started[place].payload
        place += 1
        handled = _handled.get(payload.kind)
        if handled is not None and handled.preview is not None:
            await handled.preview(tx, payload)


def load(package: str = "backoffice") -> list[str]:
    """Import the `jobs` module of every domain, and so register all handlers; returns the kinds."""
    _import_jobs(package)
    return kinds()


@cache
def _import_jobs(package: str) -> None:
    """Once a process: to look for the modules takes milliseconds, and every tenant that is planned asks for it."""
    root = importlib.import_module(package)
    for domain in pkgutil.iter_modules(root.__path__):
        if not domain.ispkg or domain.name in ("kernel", "platform", "migrations"):
            continue
        name = f"{package}.{domain.name}.jobs"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
