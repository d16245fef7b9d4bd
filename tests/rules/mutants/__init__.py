"""Deliberate schema mistakes, in the families of the checks that are meant to see them (`tests/rules/catalogue`)."""

from __future__ import annotations

from tests.rules.mutants import keys, rights, things, walls
from tests.rules.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*walls.MUTANTS, *keys.MUTANTS, *things.MUTANTS, *rights.MUTANTS)

__all__ = ["MUTANTS", "Mutant"]
