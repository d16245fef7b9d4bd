"""Refusals of this domain, named by situation."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class EndpointNotEnabled(StateConflict):
    """The endpoint receives nothing now, so there is nothing to pause."""

    code = "webhook_endpoint_not_enabled"
    title = "The endpoint is not enabled"


class EndpointAlreadyEnabled(StateConflict):
    code = "webhook_endpoint_already_enabled"
    title = "The endpoint is enabled"


class TooManyEndpoints(Problem):
    status = 409
    code = "too_many_webhook_endpoints"
    title = "The tenant has as many endpoints as it may have"


class DayNotOver(StateConflict):
    code = "day_not_over"
    title = "The day is not over"
