"""/v1/test/fixtures, /v1/test/simulations and /v1/test/resets."""

from __future__ import annotations

from litestar.params import FromPath, JSONBody

from backoffice.platform.jobs.view import JobView
from backoffice.platform.web.routes import InTx, post
from backoffice.sandbox import commands, resets
from backoffice.sandbox.schemas import CreateTestFixture, RunTestSimulation, TestSimulation


@post("/v1/test/fixtures", scope="test_clocks:write", status=202)
async def create_test_fixture(tx: InTx, data: JSONBody[CreateTestFixture]) -> JobView:
    """Build a made-up company in an empty test tenant. The same name and seed give the same company and the same
    events, and what is done after it, one request after another, is drawn from the seed too."""
    return await commands.create(tx, data)


@post("/v1/test/simulations/{simulation:str}", scope="test_clocks:write", status=200)
async def run_test_simulation(tx: InTx, simulation: FromPath[str], data: JSONBody[RunTestSimulation]) -> TestSimulation:
    """Let something happen to a test tenant. `payment_return`: a direct deposit comes back; those to accounts whose
    number ends in 0001, 0002 or 0016 do so by themselves, two banking days after they settled. `timesheet_late`: hours
    of the last whole week that were not submitted are told as late."""
    return await commands.simulate(tx, simulation, data)


@post("/v1/test/resets", scope="test_clocks:write", status=202)
async def create_test_reset(tx: InTx) -> JobView:
    """Empty a test tenant: all that was made in it is deleted, in one moment, and its clock is the real one again. The
    tenant, its people, API keys, employer, pay schedules, schedules, settings, webhook endpoints and audit trail stay.
    Asked again before it is done, it answers with the same job."""
    return await resets.reset(tx)


handlers: list[object] = [create_test_fixture, run_test_simulation, create_test_reset]
