"""What a batch of paychecks costs beside its time: memory, where the time goes, and how far the machine's floor is.

The floor is the time a copy of the same bytes takes: every column in is read once, every line out written once.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from backoffice.payroll.calc import Columns, Results, Tables, gross_to_net

_OURS = str(Path("backoffice") / "payroll")
_COPIED = 256 << 20  # bytes; far above every cache


def bytes_of(columns: Columns) -> int:
    """Bytes of all columns; one that stands under several names counts once."""
    owners: list[Any] = [columns, columns.work]
    if columns.detail is not None:
        owners += [columns.detail, columns.detail.deductions]
    arrays = [getattr(owner, each.name) for owner in owners for each in fields(owner)]
    arrays += [column for three in columns.work.ytd_programmes.values() for column in three]
    return sum({id(array): array.nbytes for array in arrays if isinstance(array, np.ndarray)}.values())


def bytes_of_lines(results: Results) -> int:
    """Bytes of the lines: amounts, and the rows they belong to where they are not everyone's."""
    rows = {id(line.rows): line.rows.nbytes for line in results.lines}
    return sum(line.cents.nbytes for line in results.lines) + sum(rows.values())


def bandwidth() -> float:
    """Bytes a second of one core that reads as many as it writes: the best of five copies."""
    source, target = np.ones(_COPIED // 8), np.empty(_COPIED // 8)
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - begin)
    return 2 * _COPIED / min(seconds)


def where_time_goes(work: Callable[[], object], most: int = 8) -> list[tuple[str, float]]:
    """Our functions by their share of the time, each with what it spends in libraries: the largest first."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    spent: dict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, own, _, callers) in stats.items():
        if _OURS in file:
            spent[f"{Path(file).stem}.{name}"] += own
            continue
        for (caller, _, calling), (*_, within) in callers.items():
            if _OURS in caller:
                spent[f"{Path(caller).stem}.{calling}"] += within
    total = sum(spent.values())
    largest = sorted(spent.items(), key=lambda each: -each[1])[:most]
    return [(name, seconds / total) for name, seconds in largest]


def memory(rows: int) -> dict[str, int]:
    """Bytes, of a process of its own: resident before the columns are there, with them, and at the peak."""
    script = f"from benchmarks.paychecks import tell_memory; tell_memory({rows})"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(told.stdout)
    return found


def tell_memory(rows: int) -> None:
    """For the process that `memory` starts: calculates a batch and prints what it took."""
    from benchmarks.gross_to_net import mixed

    tables = Tables.load()
    before = _told("VmRSS")
    columns = mixed(rows)
    given = _told("VmRSS")
    results = gross_to_net(columns, tables)
    peak = _told("VmHWM")  # not ru_maxrss, which begins at that of the process that started this one
    assert len(results) == rows
    sys.stdout.write(json.dumps({"before": before, "with_columns": given, "peak": peak}))


def _told(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError("the system does not tell how much memory a process has")
