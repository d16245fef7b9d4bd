"""/v1/tenant, /v1/people, /v1/api_keys, /v1/test/clocks, /v1/jobs and /v1/schedules."""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from backoffice.accounts import clocks, commands, queries
from backoffice.accounts.schemas import (
    AdvanceTestClock,
    ApiKey,
    CreateApiKey,
    CreateTestClock,
    Person,
    RetryJob,
    RevokeApiKey,
    Tenant,
    TestClock,
)
from backoffice.platform.crypto import Peppers
from backoffice.platform.jobs.schedule_view import ScheduleView
from backoffice.platform.jobs.view import JobLogs, JobView
from backoffice.platform.jobs.why import JobWhy
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import IfMatch, InTx, Listed, get, post

WithPeppers = NamedDependency[SkipValidation[Peppers]]


@get("/v1/tenant", scope="tenant:read")
async def get_tenant(tx: InTx) -> Tenant:
    """The tenant of the key: its firm, its mode, and what time it is there."""
    return await queries.tenant(tx)


@get("/v1/people", scope="people:read", listing=queries.PEOPLE)
async def list_people(tx: InTx, listed: Listed) -> Page[Person]:
    """Who signs in or holds keys."""
    return await queries.people(tx, listed)


@get("/v1/people/{person_id:str}", scope="people:read")
async def get_person(tx: InTx, person_id: FromPath[str]) -> Person:
    """One person."""
    return await queries.person(tx, person_id)


@post("/v1/api_keys", scope="api_keys:write", keyed="optional")
async def create_api_key(tx: InTx, data: JSONBody[CreateApiKey], peppers: WithPeppers) -> ApiKey:
    """Make a key for yourself; its secret is in this answer and nowhere else."""
    return await commands.create_api_key(tx, data, peppers)


@get("/v1/api_keys", scope="api_keys:read", listing=queries.API_KEYS)
async def list_api_keys(tx: InTx, listed: Listed) -> Page[ApiKey]:
    """Keys of this tenant, without their secrets."""
    return await queries.api_keys(tx, listed)


@get("/v1/api_keys/{key_id:str}", scope="api_keys:read")
async def get_api_key(tx: InTx, key_id: FromPath[str]) -> ApiKey:
    """One key."""
    return await queries.api_key(tx, key_id)


@post("/v1/api_keys/{key_id:str}/revoke", scope="api_keys:write", keyed="optional", if_match=True, status=200)
async def revoke_api_key(tx: InTx, key_id: FromPath[str], data: JSONBody[RevokeApiKey], if_match: IfMatch) -> ApiKey:
    """End a key, at once or after some days of overlap."""
    return await commands.revoke_api_key(tx, key_id, data, if_match)


@post("/v1/test/clocks", scope="test_clocks:write", keyed="optional")
async def create_test_clock(tx: InTx, data: JSONBody[CreateTestClock]) -> TestClock:
    """Freeze a test tenant's clock."""
    return await clocks.freeze(tx, data)


@get("/v1/test/clocks/{clock_id:str}", scope="tenant:read")
async def get_test_clock(tx: InTx, clock_id: FromPath[str]) -> TestClock:
    """A test tenant's clock."""
    return await queries.test_clock(tx, clock_id)


@post("/v1/test/clocks/{clock_id:str}/advance", scope="test_clocks:write", status=202)
async def advance_test_clock(tx: InTx, clock_id: FromPath[str], data: JSONBody[AdvanceTestClock]) -> TestClock:
    """Move the clock forward. What falls due up to then runs in the order of its time, the clock standing there; the
    clock is `ready` again when all of it has ended."""
    return await clocks.advance(tx, clock_id, data)


@get("/v1/jobs", scope="jobs:read", listing=queries.JOBS)
async def list_jobs(tx: InTx, listed: Listed) -> Page[JobView]:
    """Work behind the queue, newest first."""
    return await queries.jobs(tx, listed)


@get("/v1/jobs/{job_id:str}", scope="jobs:read")
async def get_job(tx: InTx, job_id: FromPath[str]) -> JobView:
    """One job: how far it is, and its result or problem once it has ended."""
    return await queries.job(tx, job_id)


@get("/v1/jobs/{job_id:str}/logs", scope="jobs:read")
async def get_job_logs(tx: InTx, job_id: FromPath[str]) -> JobLogs:
    """How each try of a job went, and what it said."""
    return await queries.job_logs(tx, job_id)


@get("/v1/jobs/{job_id:str}/why", scope="jobs:read")
async def get_job_why(tx: InTx, job_id: FromPath[str]) -> JobWhy:
    """Why a job does not run, in a sentence."""
    return await queries.job_why(tx, job_id)


@post("/v1/jobs/{job_id:str}/cancel", scope="jobs:write", keyed="optional", status=200)
async def cancel_job(tx: InTx, job_id: FromPath[str]) -> JobView:
    """Cancel a job: at once when it does not run, else at its next step."""
    return await commands.cancel_job(tx, job_id)


@post("/v1/jobs/{job_id:str}/retry", scope="jobs:write", status=200)
async def retry_job(tx: InTx, job_id: FromPath[str], data: JSONBody[RetryJob]) -> JobView:
    """Run a failed job again, from its first unfinished step."""
    return await commands.retry_job(tx, job_id, data)


@get("/v1/schedules", scope="schedules:read", listing=queries.SCHEDULES)
async def list_schedules(tx: InTx, listed: Listed) -> Page[ScheduleView]:
    """Work that recurs: the firm's own, and what the platform does for every tenant."""
    return await queries.schedules(tx, listed)


@get("/v1/schedules/{schedule_id:str}", scope="schedules:read")
async def get_schedule(tx: InTx, schedule_id: FromPath[str]) -> ScheduleView:
    """One schedule: its rule, and when it fires next."""
    return await queries.schedule(tx, schedule_id)


@post("/v1/schedules/{schedule_id:str}/pause", scope="schedules:write", keyed="optional", status=200)
async def pause_schedule(tx: InTx, schedule_id: FromPath[str]) -> ScheduleView:
    """Start nothing until it is resumed."""
    return await commands.pause_schedule(tx, schedule_id)


@post("/v1/schedules/{schedule_id:str}/resume", scope="schedules:write", keyed="optional", status=200)
async def resume_schedule(tx: InTx, schedule_id: FromPath[str]) -> ScheduleView:
    """Go on from now; what fell into the pause is not caught up."""
    return await commands.resume_schedule(tx, schedule_id)


@post("/v1/schedules/{schedule_id:str}/run_now", scope="schedules:write", status=202)
async def run_schedule_now(tx: InTx, schedule_id: FromPath[str]) -> JobView:
    """Start its work once, now and beside its rule."""
    return await commands.run_schedule_now(tx, schedule_id)


handlers: list[object] = [
    list_schedules,
    get_schedule,
    pause_schedule,
    resume_schedule,
    run_schedule_now,
    list_jobs,
    get_job,
    get_job_logs,
    get_job_why,
    cancel_job,
    retry_job,
    get_tenant,
    list_people,
    get_person,
    create_api_key,
    list_api_keys,
    get_api_key,
    revoke_api_key,
    create_test_clock,
    get_test_clock,
    advance_test_clock,
]
