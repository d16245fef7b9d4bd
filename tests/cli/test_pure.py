"""A pure calculation on the command line opens no database and starts no server: it does not even import one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CASE = {
    "id": "one",
    "pay_date": "2026-11-20",
    "pay_frequency": "weekly",
    "taxable_wages": "1000.00",
    "w4": {"version": "2020_or_later", "filing_status": "single"},
    "work_state": "TX",
}
NEVER = (
    *("sqlalchemy", "asyncpg", "psycopg", "alembic", "litestar", "uvicorn", "dramatiq", "aiohttp", "obstore"),
    *("cryptography", "backoffice.platform.db", "backoffice.api", "backoffice.platform.postgres"),
)
RUN = """
import sys
from backoffice.cli import main
try:
    main(sys.argv[1:], prog_name="backoffice")
except SystemExit as end:
    print(end.code)
print("\\n".join(sys.modules))
"""


def run(*arguments: str | Path) -> tuple[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=60
    )
    status, *modules = done.stdout.splitlines()
    return status, set(modules)


def test_payroll_calculate_imports_no_database(tmp_path: Path) -> None:
    cases, results = tmp_path / "cases.jsonl", tmp_path / "results.jsonl"
    cases.write_text(json.dumps(CASE) + "\n\n" + json.dumps({**CASE, "id": "two", "taxable_wages": 5}) + "\n")
    status, modules = run("payroll", "calculate", "--input", cases, "--output", results)
    assert status == "1"  # a line failed
    first, second = (json.loads(line) for line in results.read_text().splitlines())
    assert (first["id"], first["social_security"], first["state_income_tax"]) == ("one", "62.00", "0.00")
    assert second["problem"]["code"]
    assert "numpy" in modules
    assert modules.isdisjoint(NEVER)


def test_exit_status_of_wrong_files(tmp_path: Path) -> None:
    status, modules = run("payroll", "calculate", "--input", tmp_path / "none", "--output", tmp_path / "out")
    assert status == "2"
    assert modules.isdisjoint(NEVER)


def test_the_list_of_modules_would_show_a_database() -> None:
    """The test above can fail: a command that does use the database shows up."""
    _, modules = run("payroll", "runs", "list", "--help")
    assert not modules.isdisjoint(NEVER)
