"""What may be stored as an endpoint: an address that may be called, and a filter that lets something through."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from backoffice.kernel.errors import FaultList
from backoffice.platform.courier import loopback
from backoffice.platform.events import CATALOGUE
from backoffice.platform.principal import TenantFacts
from backoffice.platform.ssrf import check_url


def check_address(faults: FaultList, tenant: TenantFacts, url: str) -> None:
    """Adds what is wrong with a receiver's URL."""
    faults.faults += check_url(url, allow_loopback=loopback.may_use(tenant), pointer="#/url")


def check_event_types(faults: FaultList, event_types: Sequence[str] | None) -> None:
    """Adds what is wrong with a filter: names that no event has, patterns that match nothing, an empty list."""
    if event_types is None:
        return
    if not event_types:
        faults.add(
            "#/event_types", "filter_matches_nothing", "name at least one type of event, or leave it out to get all"
        )
    resources = {name.split(".", 1)[0] for name in CATALOGUE}
    for place, name in enumerate(event_types):
        pointer = f"#/event_types/{place}"
        if name in CATALOGUE:
            continue
        resource, _, rest = name.partition(".")
        if rest == "*":
            if resource not in resources:
                offered = ", ".join(f"{each}.*" for each in sorted(resources))
                faults.add(pointer, "filter_matches_nothing", f"no event is of this resource; there are {offered}")
            continue
        close = get_close_matches(name, CATALOGUE, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; see the catalogue of events"
        faults.add(pointer, "unknown_event_type", f"there is no such type of event{hint}")
