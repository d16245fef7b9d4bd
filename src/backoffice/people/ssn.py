"""Social Security numbers: what a tenant takes as one. Pure.

The Social Security Administration never assigns area 000, 666 or 900-999, group 00 or serial 0000 (POMS RM 10201.035).
Which areas a tenant takes is a fact of the tenant (`identity_rules.ssn_areas`): a live tenant takes assigned areas, a
test tenant unassigned ones only, so that no number of a real person can get into it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WRITTEN = re.compile(r"[0-9]{9}|[0-9]{3}-[0-9]{2}-[0-9]{4}")


def digits(written: str) -> str | None:
    """The nine digits of `123-45-6789` or `123456789`; None for anything else."""
    return written.replace("-", "") if _WRITTEN.fullmatch(written) else None


def with_hyphens(nine: str) -> str:
    """123456789 → 123-45-6789."""
    return f"{nine[:3]}-{nine[3:5]}-{nine[5:]}"


def fault(nine: str, areas: Sequence[str]) -> tuple[str, str] | None:
    """Why a tenant that takes `areas` (ranges such as "900-999", both ends included) does not take this number of nine
    digits: (code, detail), or None when it does. The detail never repeats the number."""
    if not any(first <= nine[:3] <= last for first, last in (range_.split("-") for range_ in areas)):
        return "ssn_area_not_accepted", f"its first three digits must be within {', '.join(areas)} for this tenant"
    if nine[3:5] == "00" or nine[5:] == "0000":
        return "ssn_never_assigned", "group 00 and serial 0000 are never assigned; check the number"
    return None
