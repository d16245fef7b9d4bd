"""What the sandbox tells."""

from __future__ import annotations

from backoffice.accounts.schemas import Tenant
from backoffice.platform.events import event_type

TENANT_RESET = event_type(
    "tenant.reset",
    Tenant,
    "/v1/tenant",
    "A test tenant was emptied: forget what you hold of it. Nothing numbered before this comes any more.",
)
