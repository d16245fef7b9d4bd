"""RFC 9457 problems: how every refusal looks outside. All faults of a request at once, never a sensitive value."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from backoffice.kernel.errors import BadRequest, Fix, Problem
from backoffice.platform.connections import says_closed
from backoffice.platform.db import Unavailable

MEDIA_TYPE = "application/problem+json"
_TYPES = {
    "quota_exceeded": "https://iana.org/assignments/http-problem-types#quota-exceeded",
    "temporary_reduced_capacity": "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
}


class Unauthorized(Problem):
    status = 401
    code = "unauthorized"
    title = "There is no valid credential"
    remedy = Fix(
        "caller",
        "Check the key for typing errors, that it has not ended, and that it may be used from this address; "
        "ask an administrator for another if it may not.",
        "POST /v1/api_keys",
    )

    def __init__(self) -> None:
        super().__init__(
            "Send a valid API key as `Authorization: Bearer bo_…`.", headers={"WWW-Authenticate": "Bearer"}
        )


class ScopeMissing(Problem):
    status = 403
    code = "scope_missing"
    title = "The key may not do this"
    remedy = Fix("administrator of the firm", "Make a key that has this scope.", "POST /v1/api_keys")

    def __init__(self, scope: str) -> None:
        super().__init__(f"The key lacks the scope {scope}.", extra={"scope": scope})


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = "The method is not offered here"


class TooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = "The body is too large"


class MediaTypeRefused(Problem):
    status = 415
    code = "media_type_not_supported"
    title = "The media type is not supported"


class UnknownApiVersion(Problem):
    status = 406
    code = "unknown_api_version"
    title = "The API version is not known"
    remedy = Fix("caller", "Send one of `versions` as Api-Version, or leave the header out.")


class NotAcceptable(Problem):
    status = 406
    code = "media_type_not_offered"
    title = "The media type that is asked for is not offered"


class IfMatchRequired(Problem):
    status = 428
    code = "if_match_required"
    title = "If-Match is required"
    remedy = Fix("caller", "Read the object, then repeat the request with its ETag in If-Match.")

    def __init__(self) -> None:
        super().__init__("Only whoever has seen the present version of the object may change it.")


class IdempotencyKeyRequired(BadRequest):
    code = "idempotency_key_required"
    title = "Idempotency-Key is required"
    remedy = Fix("caller", "Send a new Idempotency-Key with each new request, and the same one with a retry.")

    def __init__(self) -> None:
        super().__init__("This request must not be done twice; its retry is known by its Idempotency-Key.")


class IdempotencyInProgress(Problem):
    status = 409
    code = "idempotency_in_progress"
    title = "The same request is still running"
    retryable = True

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is running; ask again.", headers={"Retry-After": "1"})


class IdempotencyKeyReused(Problem):
    status = 422
    code = "idempotency_key_reused"
    title = "The Idempotency-Key was used for another request"
    remedy = Fix("caller", "Use a new Idempotency-Key for a new request.")

    def __init__(self) -> None:
        super().__init__("Under this Idempotency-Key a request with another body, query or version was answered.")


class QuotaExceeded(Problem):
    status = 429
    code = "quota_exceeded"
    title = "Too many requests"
    remedy = Fix("caller", "Wait as long as Retry-After says, and spread requests by the RateLimit headers.")
    retryable = True


class ReducedCapacity(Problem):
    status = 503
    code = "temporary_reduced_capacity"
    title = "Too many requests of this tenant are running at once"
    retryable = True


class InternalFault(Problem):
    status = 500
    code = "internal_fault"
    title = "Something went wrong on our side"


_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.exceptions.TransactionTimeoutError,
    ConnectionError,
)


def of_fault(error: Exception) -> Problem:
    """A database that is gone, overloaded, restarting or slow says so with a 503; anything else is our fault."""
    if says_closed(error) or isinstance(error, _PASSING):
        return Unavailable()
    return InternalFault("The fault is recorded under the request id.")


class PreviewTooLarge(Problem):
    status = 422
    code = "preview_too_large"
    title = "The preview would cover too many items"


def body(problem: Problem, *, request_id: str, instance: str, docs_url: str) -> bytes:
    """The JSON of a problem."""
    content: dict[str, Any] = {
        "type": _TYPES.get(problem.code, f"{docs_url}/problems/{problem.code}"),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
        "request_id": request_id,
        "retryable": problem.retryable,
    }
    if problem.errors:
        content["errors"] = [fault.body() for fault in problem.errors]
    if problem.fix is not None:
        content["fix"] = problem.fix.body()
    return msgspec.json.encode(content | problem.extra)
