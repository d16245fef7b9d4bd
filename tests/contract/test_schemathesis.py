"""Two thousand generated requests on the served application: what the document says is what happens, whatever is sent.

Three runs, with a fixed seed: every rule of every parameter and body of some operations (all of them by `make chaos`),
random requests to all operations, and walks from what one answer names to the next request."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from tests.contract.maker import MAKER, Maker
from tests.contract.recipes import operations
from tests.contract.served import served
from tests.world import Server

from backoffice import api
from backoffice.platform.web.openapi import document

SEED = 20261121
LONG = bool(os.environ.get("BACKOFFICE_CHAOS"))
SAMPLE = 200 if LONG else 9  # operations of which every rule is tried
NAMES = sorted(operations(api.HANDLERS))


@dataclass
class Found:
    """How many requests were sent, and what was wrong with the answers."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)


def run(address: str, key: str, phase: str, *, examples: int, names: list[str] = NAMES) -> Found:
    """One phase over the operations named."""
    phases = {each: {"enabled": each == phase} for each in ("examples", "coverage", "fuzzing", "stateful")}
    refusals = ["400", "401", "403", "404", "409", "412", "422", "428"]
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": address,
            "headers": {"Authorization": f"Bearer {key}"},
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True, "deterministic": True},
            "phases": {**phases, "stateful": {**phases["stateful"], "max-steps": 10}},
            "checks": {
                # What a schema cannot say (a date that is no payday, a name in use) is refused with one of these.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *refusals]},
                "missing_required_header": {"expected-statuses": refusals},
            },
        }
    )
    schema: Any = schemathesis.openapi.from_dict(document(api.HANDLERS, server=address), config=config)
    found = Found()
    for event in from_schema(schema.include(operation_id=names)).execute():
        if isinstance(event, events.ScenarioFinished):
            _take(event.recorder, found)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.wrong[f"error: {getattr(event, 'label', '')}"] = str(getattr(event, "info", event))
    return found


def _take(recorder: Any, found: Found) -> None:
    found.sent += len(recorder.interactions)
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            found.statuses[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case, failure = recorder.cases[case_id].value, check.failure_info.failure
                if not _by_design(case, check.name, failure):
                    found.wrong[f"{case.operation.label}: {check.name}: {failure}"] = check.failure_info.code_sample


def _by_design(case: Any, check: str, failure: Any) -> bool:
    """What no schema can say: a dry run takes no notice of an Idempotency-Key, so it may be missing; and a bulk job's
    file may hold anything, what is wrong with it is told row by row."""
    if "Idempotency-Key" in str(failure):
        dry = str((case.query or {}).get("dry_run", "")).lower() == "true"
        return dry and "idempotency-key" not in {name.lower() for name in case.headers or {}}
    return bool(
        check == "negative_data_rejection" and case.operation.label.endswith("/start") and "body" in str(failure)
    )


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    with served(server.settings) as found:
        yield found


SENT: Counter[str] = Counter()


def test_every_rule_of_some_operations(address: str, maker: Maker) -> None:
    chosen = sorted(random.Random(SEED).sample(NAMES, min(SAMPLE, len(NAMES))))
    found = run(address, maker.keys[MAKER], "coverage", examples=1, names=chosen)
    SENT["coverage"] = found.sent
    assert found.wrong == {}
    assert found.sent > 60 * len(chosen)


def test_random_requests_to_every_operation(address: str, maker: Maker) -> None:
    found = run(address, maker.keys[MAKER], "fuzzing", examples=100 if LONG else 8)
    SENT["fuzzing"] = found.sent
    assert found.wrong == {}
    assert {status // 100 for status in found.statuses} == {2, 4}


def test_walks_from_answer_to_request(address: str, maker: Maker) -> None:
    found = run(address, maker.keys[MAKER], "stateful", examples=200 if LONG else 25)
    SENT["stateful"] = found.sent
    assert found.wrong == {}


def test_so_many_were_sent() -> None:
    assert SENT.total() >= (10_000 if LONG else 2_000) or len(SENT) < 3, SENT
