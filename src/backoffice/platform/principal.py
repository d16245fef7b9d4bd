"""Who acts, for which tenant, with which rights. Made by the edge from a key, or by the platform for its own work."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal
from uuid import UUID

from backoffice.kernel import ids

Mode = Literal["live", "test"]


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """What the platform knows of a tenant before it opens a transaction (from `ctl`, cached for at most 5 s)."""

    id: UUID
    mode: Mode
    firm: str = ""
    plan: str = ""
    requests_per_minute: int = 1200
    writes_per_minute: int = 300

    @property
    def livemode(self) -> bool:
        return self.mode == "live"


@dataclass(frozen=True, slots=True)
class Principal:
    """`actor` is a person's id (`per_…`) or `system:<what>`; `key_id` the credential used, if any."""

    tenant: TenantFacts
    actor: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    person_id: UUID | None = None
    key_id: UUID | None = None
    api_version: str | None = None
    allowed_from: tuple[IPv4Network | IPv6Network, ...] = ()  # none: from anywhere

    @classmethod
    def system(cls, tenant: TenantFacts, what: str) -> Principal:
        """The platform itself, e.g. `system:payroll_calculate`; it may do what its job does."""
        return cls(tenant=tenant, actor=f"system:{what}")

    @property
    def actor_kind(self) -> str:
        return "system" if self.person_id is None else "person"

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "*" in self.scopes

    def may_come_from(self, address: str | None) -> bool:
        """Whether the credential opens from the address that the request came from."""
        if not self.allowed_from:
            return True
        try:
            at = ip_address(address or "")
        except ValueError:  # a socket without an address
            return False
        at = getattr(at, "ipv4_mapped", None) or at
        return any(at in network for network in self.allowed_from)

    def actor_body(self) -> dict[str, str]:
        """The actor as events and audit show it: a person by id and key, the platform by what it was doing."""
        body = {"type": self.actor_kind, "id": self.actor}
        if self.key_id is not None:
            body["api_key"] = ids.encode("api_key", self.key_id)
        return body
