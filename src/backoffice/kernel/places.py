"""Places of the United States by the Postal Service's two letters."""

from __future__ import annotations

# The fifty states and the District of Columbia, which payroll treats as a state.
STATES = frozenset(
    "AK AL AR AZ CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR "  # noqa: SIM905 (two lines instead of fifty-one)
    "PA RI SC SD TN TX UT VA VT WA WI WV WY".split()
)
