"""Schemathesis on the served application, as two firms that must not see each other's objects: what was sent, by whom,
how it was answered, and what was wrong with the answers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from tests.contract.maker import MAKER, Maker

from backoffice import api
from backoffice.platform.web.openapi import document

OURS, THEIRS = "ours", "theirs"
_PHASES = ("examples", "coverage", "fuzzing", "stateful")
_REFUSALS = ["400", "401", "403", "404", "409", "412", "422", "428"]


@dataclass
class Found:
    """What happened in one or more runs."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)  # OURS, THEIRS, or "nobody"
    followed: int = 0  # requests that were made from what an earlier answer names
    succeeded: Counter[str] = field(default_factory=Counter)  # by operation
    checked: Counter[str] = field(default_factory=Counter)  # by check
    wrong: dict[str, str] = field(default_factory=dict)

    def take(self, recorder: Any) -> None:
        """Count what one scenario has recorded."""
        for case_id, interaction in recorder.interactions.items():
            node = recorder.cases[case_id]
            self.sent += 1
            self.followed += node.transition is not None
            self.senders[node.value.auth_identity or "nobody"] += 1
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                if interaction.response.status_code < 300:
                    self.succeeded[node.value.operation.label] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                self.checked[check.name] += 1
                if check.failure_info is not None:
                    case, failure = recorder.cases[case_id].value, check.failure_info.failure
                    response = recorder.interactions[case_id].response if case_id in recorder.interactions else None
                    if not _by_design(case, check.name, failure, response.status_code if response else None):
                        self.wrong[f"{case.operation.label}: {check.name}: {failure}"] = check.failure_info.code_sample


def _by_design(case: Any, check: str, failure: Any, status: int | None) -> bool:
    """What no schema can say: a dry run takes no notice of an Idempotency-Key, so it may be missing; a bulk job's file
    may hold anything, what is wrong with it is told row by row; and a walk may look at more identity papers than one
    may in an hour."""
    if "Idempotency-Key" in str(failure):
        dry = str((case.query or {}).get("dry_run", "")).lower() == "true"
        return dry and "idempotency-key" not in {name.lower() for name in case.headers or {}}
    if check == "positive_data_acceptance" and status == 429:
        return bool(case.operation.label.endswith("/reveal"))
    return bool(
        check == "negative_data_rejection" and case.operation.label.endswith("/start") and "body" in str(failure)
    )


@dataclass
class Fuzzer:
    """The application at `address`, and the keys of two firms in a file (Web Fuzzing Commons)."""

    address: str
    peers: Path

    @classmethod
    def of(cls, address: str, ours: Maker, theirs: Maker, folder: Path) -> Fuzzer:
        file = folder / "peers.json"
        keys = {OURS: ours.keys[MAKER], THEIRS: theirs.keys[MAKER]}
        entries = [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
            for name, key in keys.items()
        ]
        file.write_text(json.dumps({"auth": entries}), encoding="utf-8")
        return cls(address, file)

    def run(
        self,
        phase: str,
        found: Found,
        *,
        seed: int,
        examples: int,
        names: list[str],
        mode: str = "all",
        steps: int = 20,
    ) -> Found:
        """One phase over the operations named: `coverage` (every rule of every parameter and body), `fuzzing` (random
        requests) or `stateful` (walks from what one answer names to the next request)."""
        phases: dict[str, dict[str, Any]] = {each: {"enabled": each == phase} for each in _PHASES}
        phases["stateful"]["max-steps"] = steps
        config = SchemathesisConfig.from_dict(
            {
                "seed": seed,
                "base-url": self.address,
                "auth": {"wfc": {"path": str(self.peers), "peers": [OURS, THEIRS]}},
                "continue-on-failure": True,
                "suppress-health-check": ["all"],
                "generation": {"mode": mode, "max-examples": examples, "database": "none", "no-shrink": True},
                "phases": phases,
                "checks": {
                    # What a schema cannot say (a date that is no payday, a name in use) is refused with one of these.
                    "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *_REFUSALS]},
                    "missing_required_header": {"expected-statuses": _REFUSALS},
                },
            }
        )
        described = document(api.HANDLERS, server=self.address)
        schema: Any = schemathesis.openapi.from_dict(described, config=config)
        for event in from_schema(schema.include(operation_id=names)).execute():
            if isinstance(event, events.ScenarioFinished):
                found.take(event.recorder)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                found.wrong[f"error: {getattr(event, 'label', '')}"] = str(getattr(event, "info", event))
        return found
