"""Deliberate schema mistakes, each made as bo_owner in a transaction that is rolled back: the check that is meant to
catch it does. So the checks are known to see, and a finding names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.rules import catalogue
from tests.rules.mutants import MUTANTS, Mutant
from tests.world import Server


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[catalogue.Connection]:
    with psycopg.connect(server.settings.dsn("bo_migrate"), dbname=server.empty) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def superuser(server: Server) -> Iterator[catalogue.Connection]:
    with psycopg.connect(server.postgres.admin_dsn(server.empty)) as connection:
        yield connection
        connection.rollback()


def test_each_check_has_mutants_and_each_mutant_a_name() -> None:
    assert {mutant.check for mutant in MUTANTS} == set(catalogue.CHECKS)
    assert len({mutant.what for mutant in MUTANTS}) == len(MUTANTS) >= 120


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what.replace(" ", "-"))
def test_mutant(owner: catalogue.Connection, superuser: catalogue.Connection, mutant: Mutant) -> None:
    db = superuser if mutant.superuser else owner
    try:
        assert mutant.check(db) == []
        db.execute(mutant.sql.encode())
        assert any(mutant.says in finding for finding in mutant.check(db)), mutant.check(db)
    finally:
        db.rollback()
