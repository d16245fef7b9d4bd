"""/v1/clients, /v1/assignments and /v1/timesheets."""

from __future__ import annotations

from litestar.params import FromPath, JSONBody

from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import IfMatch, InTx, Listed, get, patch, post
from backoffice.staffing import commands, queries
from backoffice.staffing.schemas import (
    ApproveTimesheets,
    Assignment,
    Client,
    CreateAssignment,
    CreateClient,
    CreateTimesheet,
    EndAssignment,
    RejectTimesheet,
    Timesheet,
    TimesheetsApproved,
    TimesheetVersions,
    UpdateAssignment,
    UpdateClient,
    UpdateTimesheet,
)


@post("/v1/clients", scope="clients:write", keyed="optional")
async def create_client(tx: InTx, data: JSONBody[CreateClient]) -> Client:
    """Add a client."""
    return await commands.create_client(tx, data)


@get("/v1/clients", scope="clients:read", listing=queries.CLIENTS)
async def list_clients(tx: InTx, listed: Listed) -> Page[Client]:
    """Clients of this tenant."""
    return await queries.clients(tx, listed)


@get("/v1/clients/{client_id:str}", scope="clients:read")
async def get_client(tx: InTx, client_id: FromPath[str]) -> Client:
    """One client."""
    return await queries.client(tx, client_id)


@patch("/v1/clients/{client_id:str}", scope="clients:write")
async def update_client(tx: InTx, client_id: FromPath[str], data: JSONBody[UpdateClient], if_match: IfMatch) -> Client:
    """Change what is known of a client (RFC 7396)."""
    return await commands.update_client(tx, client_id, data, if_match)


@post("/v1/assignments", scope="assignments:write")
async def create_assignment(tx: InTx, data: JSONBody[CreateAssignment]) -> Assignment:
    """Assign a worker to a client."""
    return await commands.create_assignment(tx, data)


@get("/v1/assignments", scope="assignments:read", listing=queries.ASSIGNMENTS)
async def list_assignments(tx: InTx, listed: Listed) -> Page[Assignment]:
    """Assignments of this tenant."""
    return await queries.assignments(tx, listed)


@get("/v1/assignments/{assignment_id:str}", scope="assignments:read")
async def get_assignment(tx: InTx, assignment_id: FromPath[str]) -> Assignment:
    """One assignment."""
    return await queries.assignment(tx, assignment_id)


@patch("/v1/assignments/{assignment_id:str}", scope="assignments:write")
async def update_assignment(
    tx: InTx, assignment_id: FromPath[str], data: JSONBody[UpdateAssignment], if_match: IfMatch
) -> Assignment:
    """Change rates, title or place of work (RFC 7396)."""
    return await commands.update_assignment(tx, assignment_id, data, if_match)


@post("/v1/assignments/{assignment_id:str}/end", scope="assignments:write", keyed="optional", status=200)
async def end_assignment(tx: InTx, assignment_id: FromPath[str], data: JSONBody[EndAssignment]) -> Assignment:
    """Set the last day of work."""
    return await commands.end_assignment(tx, assignment_id, data)


@post("/v1/timesheets", scope="timesheets:write", keyed="optional")
async def create_timesheet(tx: InTx, data: JSONBody[CreateTimesheet]) -> Timesheet:
    """Begin the timesheet of an assignment's week."""
    return await commands.create_timesheet(tx, data)


@get("/v1/timesheets", scope="timesheets:read", listing=queries.TIMESHEETS)
async def list_timesheets(tx: InTx, listed: Listed) -> Page[Timesheet]:
    """Timesheets of this tenant."""
    return await queries.timesheets(tx, listed)


@post("/v1/timesheets/approve", scope="timesheets:approve", status=200)
async def approve_timesheets(tx: InTx, data: JSONBody[ApproveTimesheets]) -> TimesheetsApproved:
    """Approve every submitted timesheet of a week, or those named."""
    return await commands.approve_many(tx, data)


@get("/v1/timesheets/{timesheet_id:str}", scope="timesheets:read")
async def get_timesheet(tx: InTx, timesheet_id: FromPath[str]) -> Timesheet:
    """One timesheet."""
    return await queries.timesheet(tx, timesheet_id)


@get("/v1/timesheets/{timesheet_id:str}/versions", scope="timesheets:read")
async def list_timesheet_versions(tx: InTx, timesheet_id: FromPath[str]) -> TimesheetVersions:
    """What a timesheet said before each change."""
    return await queries.timesheet_versions(tx, timesheet_id)


@patch("/v1/timesheets/{timesheet_id:str}", scope="timesheets:write")
async def update_timesheet(
    tx: InTx, timesheet_id: FromPath[str], data: JSONBody[UpdateTimesheet], if_match: IfMatch
) -> Timesheet:
    """Replace the hours; the timesheet is a draft again."""
    return await commands.update_timesheet(tx, timesheet_id, data, if_match)


@post("/v1/timesheets/{timesheet_id:str}/submit", scope="timesheets:write", keyed="optional", status=200)
async def submit_timesheet(tx: InTx, timesheet_id: FromPath[str]) -> Timesheet:
    """Ask for approval."""
    return await commands.submit(tx, timesheet_id)


@post(
    "/v1/timesheets/{timesheet_id:str}/approve", scope="timesheets:approve", keyed="optional", if_match=True, status=200
)
async def approve_timesheet(tx: InTx, timesheet_id: FromPath[str], if_match: IfMatch) -> Timesheet:
    """Approve submitted hours."""
    return await commands.approve(tx, timesheet_id, if_match)


@post("/v1/timesheets/{timesheet_id:str}/reject", scope="timesheets:approve", keyed="optional", status=200)
async def reject_timesheet(tx: InTx, timesheet_id: FromPath[str], data: JSONBody[RejectTimesheet]) -> Timesheet:
    """Send hours back to be corrected."""
    return await commands.reject(tx, timesheet_id, data)


handlers: list[object] = [
    create_client,
    list_clients,
    get_client,
    update_client,
    create_assignment,
    list_assignments,
    get_assignment,
    update_assignment,
    end_assignment,
    create_timesheet,
    list_timesheets,
    approve_timesheets,
    get_timesheet,
    list_timesheet_versions,
    update_timesheet,
    submit_timesheet,
    approve_timesheet,
    reject_timesheet,
]
