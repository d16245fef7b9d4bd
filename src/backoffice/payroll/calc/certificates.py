"""A state's own withholding certificate: its words, and the fields that only some states have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Every status key of the states' tables. The order gives the codes that stand in the columns: append, never insert.
STATE_STATUSES = (
    "all", "single", "married", "head_of_household",
    "s", "m", "ms", "h", "zero",  # AL
    "A", "B", "C", "D", "E", "F",  # CT and NJ
    "other", "married_joint_one_earner",  # IA (CO: other)
    "0", "1", "2",  # LA
    "a", "b",  # MD
    "married_filing_jointly", "married_filing_separately",  # a key married_joint, married_separate of a state's table
    "married_one_earner", "married_both", "head_of_family", "two_earner", "one_earner",
    "married_joint", "married_separate",  # of a state's table, as it stands there
)  # fmt: skip
# A state with one column for everyone takes these words: they change nothing, and the result says so.
GENERAL_STATUSES = STATE_STATUSES[:4]

_COUNT, _RATE, _CENTS = 999, 1_000_000, 999_999_999_999
# The fields that only some states know, with the largest value of each: counts, rates in millionths, cents, a flag.
ELECTIONS: Mapping[str, int] = {
    "dependent": _COUNT,
    "first_time_dependent": _COUNT,
    "adopted": _COUNT,
    "elected_rate": _RATE,
    "elected_annual_credit": _CENTS,
    "elected_annual_exemption": _CENTS,
    "local_rate": _RATE,
    "county_rate": _RATE,
    "additional_withholding": _CENTS,
    "exempt": 1,
}
EXEMPTIONS = ("dependent", "first_time_dependent", "adopted")  # of `exemptions` (Indiana)
ON_EVERY_FORM = frozenset({"additional_withholding", "exempt"})  # known to every state that taxes wages


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCertificate:
    """What a state's certificate says. `status` is the state's table key (`CA`: single, married, head_of_household;
    `CT`: A to F; `IL`: all); None maps the federal filing status. `secondary_allowances`: CA estimated-deduction
    allowances, IL-W-4 line 2, MA blindness claims. Rates in millionths, amounts in cents: `elected_annual_credit` and
    `elected_annual_exemption` a year, `additional_withholding` a pay period. None means the form does not say."""

    status: str | None = None
    allowances: int = 0
    secondary_allowances: int = 0
    exemptions: Mapping[str, int] = field(default_factory=dict)
    elected_rate: int | None = None
    elected_annual_credit: int | None = None
    elected_annual_exemption: int | None = None
    local_rate: int | None = None
    county_rate: int | None = None
    additional_withholding: int | None = None
    exempt: bool | None = None

    def elections(self) -> dict[str, int]:
        """What the form says of ELECTIONS, by name. ValueError for an exemption that is none of EXEMPTIONS."""
        unknown = sorted(set(self.exemptions) - set(EXEMPTIONS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: exemptions are {', '.join(EXEMPTIONS)}")
        said = {name: getattr(self, name) for name in ELECTIONS if name not in EXEMPTIONS}
        return {**self.exemptions, **{name: int(value) for name, value in said.items() if value is not None}}


def where_in_form(election: str) -> str:
    """The path of an election inside the certificate, as a pointer names it."""
    return f"exemptions/{election}" if election in EXEMPTIONS else election
