"""The collector of cycles, for processes that hold thousands of small things at a time."""

from __future__ import annotations

import gc
from typing import Final

# At the usual 700 new objects all that is under way would be looked through all the time: a fifth of the processor.
_COLLECT: Final = (20_000, 20, 20)


def collect_seldom() -> None:
    """From here on look for cycles seldom, and never among what is loaded already. Costs some megabytes."""
    gc.freeze()
    gc.set_threshold(*_COLLECT)
