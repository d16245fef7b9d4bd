"""How much: the numbers of every run, or the large ones of `make chaos`."""

from __future__ import annotations

import os

CHAOS = os.environ.get("BACKOFFICE_CHAOS") == "1"


def seeded(usual: int) -> int:
    """The seed of a test that draws its moments; BACKOFFICE_TEST_SEED plays one again."""
    return int(os.environ.get("BACKOFFICE_TEST_SEED") or usual)


def at_scale(usual: int, large: int) -> int:
    return large if CHAOS else usual
