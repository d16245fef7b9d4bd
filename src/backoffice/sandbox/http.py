"""/v1/test/fixtures."""

from __future__ import annotations

from litestar.params import JSONBody

from backoffice.platform.jobs.view import JobView
from backoffice.platform.web.routes import InTx, post
from backoffice.sandbox import commands
from backoffice.sandbox.schemas import CreateTestFixture


@post("/v1/test/fixtures", scope="test_clocks:write", status=202)
async def create_test_fixture(tx: InTx, data: JSONBody[CreateTestFixture]) -> JobView:
    """Build a made-up company in an empty test tenant. The same name and seed give the same company and the same
    events, and what is done after it, one request after another, is drawn from the seed too."""
    return await commands.create(tx, data)


handlers = [create_test_fixture]
