"""Workers that are killed in the middle of a reset, once at each of three moments. A platform's processes import this
beside the product (`tests/factories/forked.py`); a file in the folder BACKOFFICE_TEST_DYING, named for what was called,
says that the moment has taken its worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from backoffice.documents import jobs as documents
from backoffice.platform.jobs import schedules
from backoffice.platform.storage import Storage


def _dies(owner: Any, name: str, *, after: bool = False) -> None:
    """The first call of this does not come back, and with `after` it has done its work."""
    real, taken = getattr(owner, name), Path(os.environ["BACKOFFICE_TEST_DYING"]) / name

    async def dies(*args: Any) -> Any:
        first = not taken.exists()
        taken.touch()
        result = None if first and not after else await real(*args)
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dies)


_dies(schedules, "clock_is_real_again")  # the rows are deleted, and nothing is committed
_dies(documents, "drop_unowned")
_dies(Storage, "delete", after=True)  # one file is gone
