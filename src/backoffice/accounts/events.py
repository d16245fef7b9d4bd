"""What accounts tells."""

from __future__ import annotations

from backoffice.accounts.schemas import ApiKey, Tenant, TestClock
from backoffice.platform.events import event_type

TENANT_CREATED = event_type("tenant.created", Tenant, "/v1/tenant", "The provider has set this tenant up.")
TENANT_UPDATED = event_type(
    "tenant.updated",
    Tenant,
    "/v1/tenant",
    "The provider changed facts of this tenant: people, limits, employer, settings.",
)
API_KEY_CREATED = event_type("api_key.created", ApiKey, "/v1/api_keys/{id}", "A key was made for a person.")
API_KEY_REVOKED = event_type("api_key.revoked", ApiKey, "/v1/api_keys/{id}", "A key no longer opens, or soon will not.")
TEST_CLOCK_CREATED = event_type(
    "test_clock.created",
    TestClock,
    "/v1/test/clocks/{id}",
    "The tenant's clock was frozen; it moves when it is moved.",
    status="ready",
)
TEST_CLOCK_SEEDED = event_type(
    "test_clock.seeded",
    TestClock,
    "/v1/test/clocks/{id}",
    "The tenant is played from a seed: the same requests in the same order give the same events.",
    status="ready",
)
TEST_CLOCK_ADVANCE_STARTED = event_type(
    "test_clock.advance_started",
    TestClock,
    "/v1/test/clocks/{id}",
    "The tenant's clock is on its way to a later time; what falls due until then runs in its order.",
    status="advancing",
)
TEST_CLOCK_ADVANCED = event_type(
    "test_clock.advanced",
    TestClock,
    "/v1/test/clocks/{id}",
    "The tenant's clock was moved forward, and all that fell due has run.",
    status="ready",
)
TEST_CLOCK_STOPPED = event_type(
    "test_clock.stopped",
    TestClock,
    "/v1/test/clocks/{id}",
    "A move of the tenant's clock ended before it was there.",
    status="ready",
)
