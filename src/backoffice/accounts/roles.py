"""What a role may do, as scopes `<resource>:<read|write|approve|…>`. A key starts with the scopes of its person's
roles; a restricted key (`rk`) with fewer."""

from __future__ import annotations

from collections.abc import Iterable

_RESOURCES = (
    *("workers", "bank_accounts", "tax_elections", "clients", "assignments", "timesheets", "payroll_runs"),
    *("deductions", "withholding_orders"),
    *(
        "documents",
        "ledger",
        "webhook_endpoints",
        "events",
        "jobs",
        "schedules",
        "bulk_jobs",
        "api_keys",
        "people",
        "tenant",
    ),
)
_READ = frozenset(f"{resource}:read" for resource in _RESOURCES)

ROLES: dict[str, frozenset[str]] = {
    "viewer": _READ,
    "integrator": _READ
    | {
        *("workers:write", "bank_accounts:write", "tax_elections:write", "clients:write", "assignments:write"),
        *("deductions:write", "withholding_orders:write"),
        *("timesheets:write", "webhook_endpoints:write", "bulk_jobs:write", "jobs:write", "test_clocks:write"),
        "schedules:write",
    },
    "payroll_maker": _READ
    | {
        *("workers:write", "bank_accounts:write", "tax_elections:write", "clients:write", "assignments:write"),
        *("deductions:write", "withholding_orders:write"),
        *("timesheets:write", "timesheets:approve", "payroll_runs:write", "payroll_runs:pay", "bulk_jobs:write"),
        *("jobs:write", "schedules:write", "documents:write"),
    },
    "payroll_checker": _READ | {"timesheets:approve", "payroll_runs:approve", "jobs:write"},
    "admin": _READ
    | {
        *("api_keys:write", "webhook_endpoints:write", "sensitive:read", "jobs:write", "workers:write"),
        *("test_clocks:write", "bulk_jobs:write", "timesheets:write", "schedules:write"),
    },
}
SCOPES: frozenset[str] = frozenset().union(*ROLES.values())


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """All scopes of the roles; KeyError for a role that is not known."""
    return frozenset[str]().union(*(ROLES[role] for role in roles))
