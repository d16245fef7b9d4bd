"""The recorder of statements is put in before the first test of the run, whatever it is, and asked after the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.rules import statements

statements.install()


@pytest.fixture(scope="session", autouse=True)
def every_statement_of_the_run_names_its_tenant() -> Iterator[None]:
    """Fails at the end of the run (of each xdist worker's) on any statement that bo_app sent without its tenant."""
    yield
    assert statements.recorder.faults() == []
