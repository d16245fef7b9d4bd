"""Refusals of accounts."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class ScopeNotYours(Problem):
    status = 403
    code = "scope_not_yours"
    title = "A key cannot be given more than its maker may do"


class KeyRevoked(StateConflict):
    code = "key_revoked"
    title = "The key is revoked"


class TestTenantsOnly(Problem):
    status = 409
    code = "test_tenants_only"
    title = "Only a test tenant can do this"


class ClockExists(StateConflict):
    code = "clock_exists"
    title = "The tenant has a clock; advance it"


class ClockGoesForward(StateConflict):
    code = "clock_goes_forward"
    title = "A clock only goes forward"


class ClockAdvancing(StateConflict):
    """One move at a time; the job that moves it can be canceled."""

    code = "clock_advancing"
    title = "The clock is being moved"


class ClockSeeded(StateConflict):
    """A tenant is played from one seed, until it is reset."""

    code = "clock_seeded"
    title = "The tenant has a seed already"


class ModeFixed(Problem):
    status = 409
    code = "tenant_mode_fixed"
    title = "A live tenant stays live, and a test tenant a test tenant"


class EinTaken(Problem):
    status = 409
    code = "ein_taken"
    title = "The EIN stands in another live tenant"
