"""Refusals. A business refusal is an ordinary answer with a name and a status (RFC 9457); raising it undoes all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

_SAID_BY_ALL = frozenset(
    {"type", "title", "status", "detail", "instance", "code", "request_id", "retryable", "errors", "fix"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one field. `pointer` is a JSON Pointer fragment (`#/items/3/hours`), or `parameter` names a
    query parameter or header; `detail` says what is wrong and what would be right."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def body(self) -> dict[str, str]:
        where = {"pointer": self.pointer} if self.pointer is not None else {"parameter": self.parameter or ""}
        return {**where, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do about a refusal, and who can do it."""

    who: str
    what: str
    api: str | None = None

    def body(self) -> dict[str, str]:
        return {"who": self.who, "what": self.what} | ({"api": self.api} if self.api else {})


class Problem(Exception):
    """A refusal with an HTTP status and a stable code. Subclasses name a situation; instances carry its particulars."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"
    title: ClassVar[str] = "The request conflicts with the current state"
    retryable: ClassVar[bool] = False
    remedy: ClassVar[Fix | None] = None  # the fix of every instance that brings none of its own

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Fault] = (),
        fix: Fix | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.fix = fix or self.remedy
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        assert not self.extra.keys() & _SAID_BY_ALL, "what every problem says cannot be said otherwise"


class NotFound(Problem):
    """Not there, or another tenant's: the answer is the same, byte for byte."""

    status = 404
    code = "not_found"
    title = "There is no such object"

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            detail or "Nothing here has this id. Keys of a test tenant see no live objects, and the reverse."
        )


class ValidationFailed(Problem):
    """The request has invalid fields; `errors` lists all of them."""

    status = 422
    code = "validation_failed"
    title = "The request has invalid fields"

    def __init__(self, errors: Sequence[Fault], detail: str = "") -> None:
        count = len(errors)
        super().__init__(detail or f"{count} field{'s are' if count != 1 else ' is'} invalid.", errors=errors)


class BadRequest(Problem):
    status = 400
    code = "bad_request"
    title = "The request cannot be read"


class StateConflict(Problem):
    """The object is not in a state from which this can be done."""

    status = 409
    code = "state_conflict"
    title = "The object is not in a state that allows this"


class AlreadyExists(Problem):
    status = 409
    code = "already_exists"
    title = "An object with this name exists"


class VersionConflict(Problem):
    """`If-Match` does not match; `version` is the current one."""

    status = 412
    code = "version_conflict"
    title = "The object has changed since you read it"
    remedy = Fix("caller", "Read the object again, see what changed, and repeat the request with its ETag in If-Match.")

    def __init__(self, current: int) -> None:
        super().__init__(
            f"The current version is {current}; read the object again and repeat the request with its ETag.",
            extra={"version": current},
        )


class SecondPersonRequired(Problem):
    """Maker-checker: whoever made it cannot approve it, with any of their keys."""

    status = 403
    code = "second_person_required"
    title = "A second person is required"
    remedy = Fix(
        "another person of the firm", "Look at what was made, and call the same action with a key of your own."
    )


@dataclass(slots=True)
class FaultList:
    """Collects faults so that all are told at once."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(code=code, detail=detail, pointer=pointer))

    def raise_if_any(self) -> None:
        if self.faults:
            raise ValidationFailed(self.faults)
