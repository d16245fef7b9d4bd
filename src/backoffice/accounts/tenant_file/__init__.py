"""The firm's folder: `tenant.toml` read into structs with every fault at its line, and compared with what stands.

Pure but for `load`, which reads the one file. `parse` gives a `TenantFile` or raises `TenantFileRefused`; `plan` says
what applying it would create and update, and never deletes.
"""

from backoffice.accounts.tenant_file.differences import (
    Change,
    FieldChange,
    Snapshot,
    firm_snapshot,
    plan,
    schedule_snapshot,
    tenant_snapshot,
)
from backoffice.accounts.tenant_file.read import TenantFault, TenantFileRefused, load, parse
from backoffice.accounts.tenant_file.structs import (
    MODULES,
    PLANS,
    ROLES,
    SECOND_PERSON_VERBS,
    Address,
    Authority,
    Bank,
    Branding,
    Employer,
    Environment,
    Firm,
    IdentityRules,
    Limits,
    PaySchedule,
    Person,
    Schedule,
    StateAccount,
    TenantFile,
    Webhooks,
)

__all__ = [
    "MODULES",
    "PLANS",
    "ROLES",
    "SECOND_PERSON_VERBS",
    "Address",
    "Authority",
    "Bank",
    "Branding",
    "Change",
    "Employer",
    "Environment",
    "FieldChange",
    "Firm",
    "IdentityRules",
    "Limits",
    "PaySchedule",
    "Person",
    "Schedule",
    "Snapshot",
    "StateAccount",
    "TenantFault",
    "TenantFile",
    "TenantFileRefused",
    "Webhooks",
    "firm_snapshot",
    "load",
    "parse",
    "plan",
    "schedule_snapshot",
    "tenant_snapshot",
]
