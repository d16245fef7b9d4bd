"""The states of endpoints and deliveries, and the legal moves between them, as data.

delivery:  ready ⇄ leased → delivered | retry_wait | failed        retry_wait → leased
           ready, retry_wait → held (the endpoint is paused) → ready (it is enabled again)
           failed → ready (enabled again: new tries)               any open state → canceled (the endpoint is gone)
           delivered, failed, held, retry_wait → ready (a replay: new tries, behind what is fresh)

A delivery's turn says where it stands in line. `fresh` goes first. `late` was replayed before it was ever taken: it
goes after what is fresh, but later events of its object still wait for it. `again` had been taken and is sent once
more: it goes after what is fresh and holds up nothing but other repeats of its object.
"""

from __future__ import annotations

ENDPOINT_STATUSES = ("enabled", "paused", "disabled")
STATUS_REASONS = ("by_request", "tries_used_up", "gone")
PAYLOADS = ("full", "ids")
HEALTHS = ("healthy", "failing")

# verb → (statuses it may leave, status it leads to)
ENDPOINT_MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "pause": (("enabled",), "paused"),
    "enable": (("paused", "disabled"), "enabled"),
    "give_up": (("enabled",), "paused"),
    "gone": (("enabled",), "disabled"),
}

TURNS = ("fresh", "late", "again")
DELIVERY_STATES = ("ready", "leased", "retry_wait", "held", "delivered", "failed", "canceled")
OPEN_STATES = ("ready", "leased", "retry_wait")  # on their way
