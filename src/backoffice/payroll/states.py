"""The states of a payroll run, drawn:

draft ─calculate→ calculating ─finish→ ready ─approve→ approved ─pay→ paying ─finish→ paid
                        └─finish→ blocked        blocked, ready ─calculate→ calculating
blocked, ready, approved ─reopen→ draft          draft, blocked, ready, approved ─cancel→ canceled
calculating ─abandon→ draft                      paying ─abandon→ approved

A payment, one entry of a bank file: sent ─return→ returned ─retry→ retrying ─finish→ retried (another payment went out
in its place); retrying ─abandon→ returned.

Reopened or canceled a run has no paychecks and counts no hours; a blocked one has paychecks and counts no hours. Once a
paycheck is posted the run can only be paid.
"""

from __future__ import annotations

STATES = ("draft", "calculating", "blocked", "ready", "approved", "paying", "paid", "canceled")

MOVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # verb: (states it may leave, states it may reach)
    "calculate": (("draft", "blocked", "ready"), ("calculating",)),
    "finish_calculation": (("calculating",), ("blocked", "ready")),
    "abandon_calculation": (("calculating",), ("draft",)),
    "approve": (("ready",), ("approved",)),
    "pay": (("approved",), ("paying",)),
    "finish_payment": (("paying",), ("paid",)),
    "abandon_payment": (("paying",), ("approved",)),
    "reopen": (("blocked", "ready", "approved"), ("draft",)),
    "cancel": (("draft", "blocked", "ready", "approved"), ("canceled",)),
}

PAYMENT_STATES = ("sent", "returned", "retrying", "retried")


def leaves(verb: str) -> tuple[str, ...]:
    """The states from which a verb may be used."""
    return MOVES[verb][0]
