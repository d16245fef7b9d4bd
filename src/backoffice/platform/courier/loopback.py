"""The one exception to the guard: a test tenant may name a receiver on this machine, where the operator allows it."""

from __future__ import annotations

from backoffice.platform.principal import TenantFacts

_allowed = False


def configure(allowed: bool) -> None:
    """Set from `Settings.loopback_webhooks` by every process that takes addresses in or sends to them."""
    global _allowed
    _allowed = allowed


def may_use(tenant: TenantFacts) -> bool:
    """Whether this tenant's receivers may be on loopback addresses (jobs and webhooks §6)."""
    return _allowed and not tenant.livemode
