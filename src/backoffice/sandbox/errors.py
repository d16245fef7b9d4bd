"""Refusals of the sandbox."""

from __future__ import annotations

from backoffice.kernel.errors import StateConflict


class TenantNotEmpty(StateConflict):
    """A made-up company is built in a tenant that has no workers yet."""

    code = "tenant_not_empty"
    title = "The tenant is not empty"


class FixtureNotPossible(StateConflict):
    """The tenant's file lacks what the company needs."""

    code = "fixture_not_possible"
    title = "The company cannot be built in this tenant"
