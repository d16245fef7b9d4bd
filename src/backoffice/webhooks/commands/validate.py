"""What may be stored as an endpoint: an address that may be called, and a filter that lets something through."""

from __future__ import annotations

from collections.abc import Sequence

from backoffice.kernel.errors import FaultList
from backoffice.platform import event_versions
from backoffice.platform.courier import loopback
from backoffice.platform.events import CATALOGUE, nearest, resource
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
    patterns = sorted({f"{resource(name)}.*" for name in CATALOGUE})
    for place, name in enumerate(event_types):
        pointer = f"#/event_types/{place}"
        if name in CATALOGUE or name in patterns:
            continue
        if name.endswith(".*"):
            told = f"no event is of this resource; {nearest(name, patterns)}"
            faults.add(pointer, "filter_matches_nothing", told)
        elif name == "*":
            faults.add(pointer, "unknown_event_type", "leave event_types out, or send null, to get all events")
        else:
            check_event_type(faults, pointer, name, [*CATALOGUE, *patterns])


def check_version(faults: FaultList, version: str) -> None:
    """Adds that payloads never had this version."""
    if version not in event_versions.VERSIONS:
        told = f"there is no such version; there are {', '.join(event_versions.VERSIONS)}"
        faults.add("#/api_version", "unknown_api_version", told)


def check_event_type(faults: FaultList, pointer: str, name: str, offered: Sequence[str] | None = None) -> None:
    """Adds that no event has this type, with the nearest names that are there."""
    if name not in CATALOGUE:
        told = f"there is no such type of event; {nearest(name, offered or list(CATALOGUE))}"
        faults.add(pointer, "unknown_event_type", told)
