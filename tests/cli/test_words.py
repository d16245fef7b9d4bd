"""Every operation of the API has its command, every command its help, and the one table by hand is complete."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from backoffice import api
from backoffice.cli import COMMANDS, main
from backoffice.terminal.door import offered
from backoffice.terminal.operations import NoWords, Operation, operations
from backoffice.terminal.words import COLLECTIONS, MEANS, OWN, Words, below, groups


def test_every_operation_has_words_of_its_own() -> None:
    with_scope = [handler for handler in api.HANDLERS if handler.opt.get("scope")]
    assert len(offered()) == len(with_scope)
    assert {operation.path for operation in offered().values()} <= {
        path.replace(":str", "") for handler in with_scope for path in handler.paths
    }


def test_the_table_has_no_collection_that_is_not_there() -> None:
    used = {words[: len(known)] for words in offered() for known in COLLECTIONS.values()}
    assert set(COLLECTIONS.values()) <= used
    assert set(MEANS) == set(groups())


def test_a_collection_without_words_is_refused() -> None:
    from litestar import get

    @get("/v1/dinosaurs", opt={"scope": "x", "listing": None, "query": {}}, sync_to_thread=False)
    def list_dinosaurs() -> None:
        """None left."""

    with pytest.raises(NoWords, match="dinosaurs"):
        operations([list_dinosaurs])


@pytest.mark.parametrize(
    ("words", "method", "path"),
    [
        (("payroll", "runs", "calculate"), "POST", "/v1/payroll_runs/{run_id}/calculate"),
        (("payroll", "runs", "list"), "GET", "/v1/payroll_runs"),
        (("payroll", "runs", "get"), "GET", "/v1/payroll_runs/{run_id}"),
        (("payroll", "runs", "create"), "POST", "/v1/payroll_runs"),
        (("payroll", "runs", "blockers"), "GET", "/v1/payroll_runs/{run_id}/blockers"),
        (("workers", "update"), "PATCH", "/v1/workers/{worker_id}"),
        (("workers", "bank-accounts", "list"), "GET", "/v1/workers/{worker_id}/bank_accounts"),
        (("workers", "bank-accounts", "get"), "GET", "/v1/bank_accounts/{account_id}"),
        (("timesheets", "approve-many"), "POST", "/v1/timesheets/approve"),
        (("timesheets", "approve"), "POST", "/v1/timesheets/{timesheet_id}/approve"),
        (("test", "clocks", "advance"), "POST", "/v1/test/clocks/{clock_id}/advance"),
        (("ledger", "trial-balance"), "GET", "/v1/trial_balance"),
        (("tenant",), "GET", "/v1/tenant"),
        (("jobs", "cancel"), "POST", "/v1/jobs/{job_id}/cancel"),
    ],
)
def test_words_follow_from_the_path(words: Words, method: str, path: str) -> None:
    found: Operation = offered()[words]
    assert (found.method, found.path) == (method, path)


def test_every_command_has_its_help() -> None:
    runner = CliRunner()
    for name in COMMANDS:
        told = runner.invoke(main, [name, "--help"])
        assert told.exit_code == 0, (name, told.output)
    for words in offered():
        told = runner.invoke(main, [*words, "--help"])
        assert told.exit_code == 0, (words, told.output)
        assert "BACKOFFICE_API_KEY" in told.output, words
    for words in OWN:
        assert runner.invoke(main, [*words, "--help"]).exit_code == 0


def test_the_help_lists_the_machine_and_the_api() -> None:
    told = CliRunner().invoke(main, ["-h"]).output
    for name in (*COMMANDS, *groups()):
        assert f"  {name} " in told


def test_options_follow_from_the_declaration() -> None:
    def options(words: Words) -> set[str]:
        context = click.Context(main)
        command: click.Command = main
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(context, word)
            assert found is not None, words
            command = found
        return {flag for param in command.params for flag in param.opts}

    approve = options(("payroll", "runs", "approve"))
    assert {"--if-match", "--idempotency-key", "--dry-run", "run_id"} <= approve
    calculate = options(("payroll", "runs", "calculate"))
    assert "--wait" in calculate
    assert "--if-match" not in calculate
    listed = options(("workers", "list"))
    assert {"--status", "--created-at-gte", "--limit", "--cursor", "--all"} <= listed
    assert "--dry-run" not in listed
    assert "--data" in options(("workers", "create"))
    assert "--file" in options(("bulk-jobs", "start"))


def test_an_unknown_command_is_wrong_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["dinosaurs"]).exit_code == 2
    assert runner.invoke(main, ["payroll", "runs", "dance"]).exit_code == 2


def test_words_below() -> None:
    assert below(("payroll",)) == ["calculate", "explain", "gross-up", "paychecks", "payments", "runs", "tables"]
    assert "bank-accounts" in below(("workers",))
