"""What was found out while the demo ran: the only thing that its checks look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Kill:
    """The worker process that was killed while it held the calculation, and how that ended."""

    pid: int
    worker: str
    done: int  # workers calculated at that moment, of
    total: int
    finished_by: str | None = None
    crashes: int = 0
    state: str = ""


@dataclass(slots=True)
class Foreign:
    """What Harbor's key was answered for one of Northwind's ids, beside the owner's answer and that for an id that
    never was."""

    id: str
    path: str
    owner_status: int
    status: int
    same_as_unknown: bool


@dataclass(slots=True)
class Facts:
    """`told` are the front office's facts by name, as `examples/front_office/payday.py` tells them."""

    told: dict[str, Any] = field(default_factory=dict)
    front_office_status: int | None = None
    kill: Kill | None = None
    foreign: list[Foreign] = field(default_factory=list)
    harbor_workers: list[str] = field(default_factory=list)  # external ids that Harbor sees
    harbor_expected: list[str] = field(default_factory=list)
    northwind_expected: int = 0
    personal_in_logs: list[str] = field(default_factory=list)  # which log file holds one, never the number itself
    logs_read: int = 0
