"""Refusals of the sandbox."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class TenantNotEmpty(StateConflict):
    """A made-up company is built in a tenant that has no workers yet."""

    code = "tenant_not_empty"
    title = "The tenant is not empty"


class TenantResetting(StateConflict):
    """What is built while the tenant is emptied would go with it, or meet what has not gone yet."""

    code = "tenant_resetting"
    title = "The tenant is being reset"


class FixtureNotPossible(StateConflict):
    """The tenant's file lacks what the company needs."""

    code = "fixture_not_possible"
    title = "The company cannot be built in this tenant"


class SimulationNotOffered(Problem):
    """What it would make happen belongs to a part of the product that is not there yet."""

    status = 409
    code = "simulation_not_offered"
    title = "This cannot be simulated yet"
