"""What the system catalogue must say of every table, key, policy, function and grant (tenancy and security §11).

Each check takes a connection (any role: the catalogue is open to read) and returns findings, one sentence each; none
means that it holds. New tables, functions and roles are found by themselves; what is let through stands in the
`allow_*.txt` files beside this one, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.rules.catalogue.asking import Connection, allowed, tenant_tables
from tests.rules.catalogue.keys import (
    foreign_key_actions,
    foreign_key_indexes,
    foreign_keys,
    indexes,
    primary_keys,
    uniques,
)
from tests.rules.catalogue.rights import dangerous_functions, grants, owners, presets, roles
from tests.rules.catalogue.things import definer_functions, leakproof, relations, sequences, triggers, views
from tests.rules.catalogue.walls import policies, row_security, tenant_column

Check = Callable[[Connection], list[str]]

CHECKS: tuple[Check, ...] = (
    tenant_column,
    row_security,
    policies,
    primary_keys,
    uniques,
    foreign_keys,
    foreign_key_indexes,
    foreign_key_actions,
    views,
    relations,
    triggers,
    definer_functions,
    leakproof,
    roles,
    grants,
    indexes,
    sequences,
    owners,
    presets,
    dangerous_functions,
)

__all__ = [
    "CHECKS",
    "Check",
    "Connection",
    "allowed",
    "dangerous_functions",
    "definer_functions",
    "foreign_key_actions",
    "foreign_key_indexes",
    "foreign_keys",
    "grants",
    "indexes",
    "leakproof",
    "owners",
    "policies",
    "presets",
    "primary_keys",
    "relations",
    "roles",
    "row_security",
    "sequences",
    "tenant_column",
    "tenant_tables",
    "triggers",
    "uniques",
    "views",
]
