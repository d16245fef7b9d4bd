"""The shape of the API, read from its own description (API conventions §1, §2): what no single test of an operation
would notice when the next one is added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from backoffice import api
from backoffice.accounts.roles import SCOPES
from backoffice.platform.web.openapi import document

DOCUMENT = document(api.HANDLERS, server="http://api")
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
WORD = r"[a-z]+(?:_[a-z0-9]+)*"
PATH = re.compile(rf"^/v1(?:/test)?/{WORD}(?:/{{{WORD}}})?(?:/{WORD}(?:\.csv)?)?$")  # at most two levels
ALONE = {"/v1/tenant", "/v1/trial_balance"}  # of which a tenant has one
PLURALS = {"people"}
READ_VERBS = {"reveal", "download_link"}  # POST, since what they show is recorded


def test_paths_are_plural_nouns_at_most_two_deep() -> None:
    for path in DOCUMENT["paths"]:
        assert PATH.match(path), path
        noun = path.removeprefix("/v1/").removeprefix("test/").split("/")[0]
        assert path in ALONE or noun in PLURALS or noun.endswith("s"), path


def test_operations_have_names_of_their_own_and_a_scope_that_a_role_has() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())
    for name, (_, path, operation) in OPERATIONS.items():
        assert re.fullmatch(r"[a-z]+(?:[A-Z][a-z]*)*", name), name
        assert operation["summary"].endswith(".")
        assert operation["x-scope"] in SCOPES or path.startswith("/v1/downloads/"), (name, operation["x-scope"])


def test_reads_take_read_scopes_and_writes_do_not() -> None:
    for name, (method, path, operation) in OPERATIONS.items():
        right = operation["x-scope"].rpartition(":")[2]
        reads = method == "GET" or path.rsplit("/", 1)[-1] in READ_VERBS
        assert (right in ("read", "open")) is reads, name


@pytest.mark.parametrize("name", sorted(name for name, (method, *_) in OPERATIONS.items() if method != "GET"))
def test_whatever_changes_something_can_be_rehearsed_and_refused_in_every_way(name: str) -> None:
    method, _, operation = OPERATIONS[name]
    parameters = {each["name"] for each in operation["parameters"]}
    assert "dry_run" in parameters
    assert "200" in operation["responses"]
    refusals = {"400", "401", "403", "404", "406", "409", "413", "415", "422", "429", "500", "503"}
    assert set(operation["responses"]) >= refusals | ({"412", "428"} if "If-Match" in parameters else set())
    if method in ("PATCH", "DELETE"):
        assert "If-Match" in parameters
    body = operation.get("requestBody", {}).get("content", {})
    for media in body:
        assert media in ("application/json", "application/merge-patch+json", "text/csv")
    if method == "PATCH":
        assert set(body) == {"application/json", "application/merge-patch+json"}


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that a body may hold, also within another."""
    todo = [content["schema"] for *_, operation in OPERATIONS.values()
            for content in operation.get("requestBody", {}).get("content", {}).values()]  # fmt: skip
    seen: set[str] = set()
    while todo:
        for name in re.findall(r"#/components/schemas/([^'\"]+)", str(todo.pop())):
            if name not in seen:
                seen.add(name)
                todo.append(SCHEMAS[name])
                yield name, SCHEMAS[name]


def test_what_comes_in_is_read_strictly() -> None:
    found = dict(bodies())
    assert len(found) > 20
    loose = [name for name, schema in found.items() if schema.get("additionalProperties") is not False]
    assert loose == []


def test_no_money_hours_or_rate_is_a_number() -> None:
    """Whole numbers count things; whatever has decimals is a string."""
    numbers = [name for name, schema in SCHEMAS.items() if "'type': 'number'" in str(schema)]
    assert numbers == []


def test_members_are_written_in_snake_case() -> None:
    odd = [
        (name, member)
        for name, schema in SCHEMAS.items()
        for member in schema.get("properties", {})
        if not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", member)
    ]
    assert odd == []
