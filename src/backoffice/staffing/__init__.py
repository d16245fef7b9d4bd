"""Staffing: clients, assignments of workers to them, and timesheets: the spine that pay and bill both stand on.

Nouns: client, assignment, timesheet. Promises: every change of a timesheet keeps what was there before; hours that are
part of a payroll run do not change; nobody works more than 24 hours on a day, over all assignments together.
Emits: client.created, client.updated, assignment.created, assignment.updated, assignment.ended, assignment.hours_late,
timesheet.created, timesheet.updated, timesheet.submitted, timesheet.approved, timesheet.rejected.
"""
