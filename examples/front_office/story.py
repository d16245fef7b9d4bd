"""The payday as the webhooks tell it, and nothing else: what was delivered and verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

MANY = 3  # more events of a type than this are told as one line
Event = dict[str, Any]


def tell(events: Sequence[Event]) -> list[str]:
    """Lines, in the order of `sequence`: what happened, and what it means for the front office."""
    ordered = sorted(events, key=lambda event: int(event["sequence"]))
    counts = Counter(event["type"] for event in ordered)
    lines, told = [], set()
    for event in ordered:
        type_ = event["type"]
        if counts[type_] > MANY:
            if type_ not in told:
                told.add(type_)
                lines += _many(type_, [each for each in ordered if each["type"] == type_])
            continue
        lines.append(f"#{event['sequence']}  {type_}  {event['data']['object']['id']}")
        lines += [f"      {effect['message']}" for effect in event["data"]["effects"][:3]]
        asks = [effect["ask"] for effect in event["data"]["effects"] if effect.get("ask")]
        lines += [f"      → {ask}" for ask in dict.fromkeys(asks)]
    return lines


def _many(type_: str, events: Sequence[Event]) -> list[str]:
    first, last = events[0], events[-1]
    numbers = f"#{first['sequence']}-{last['sequence']}"
    example = next((effect["message"] for event in events for effect in event["data"]["effects"]), "")
    return [f"{numbers}  {len(events)} × {type_}", *([f"      such as: {example}"] if example else [])]
