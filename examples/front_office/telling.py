"""What the front office tells while it works: text for a person, or JSON lines for a program that started it.

One line of JSON is one of {"step", "title"}, {"say"}, {"bar", "done", "total"} and {"fact", "value"}."""

from __future__ import annotations

import json
import sys
from typing import Any


class Telling:
    """To standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._shown: dict[str, int] = {}

    def step(self, number: int, title: str) -> None:
        """A new chapter."""
        self._tell({"step": number, "title": title}, f"\n{number}. {title}")

    def say(self, text: str) -> None:
        """A line of the story."""
        self._tell({"say": text}, f"   {text}")

    def bar(self, name: str, done: int, total: int) -> None:
        """How far something is. As text, every tenth of it."""
        tenth = 10 * done // total if total else 0
        if self._as_json or self._shown.get(name) != tenth:
            self._shown[name] = tenth
            self._tell({"bar": name, "done": done, "total": total}, f"   {name}: {done} of {total}")

    def fact(self, name: str, value: Any) -> None:
        """Something that whoever started us will check. Says nothing to a person."""
        if self._as_json:
            self._write(json.dumps({"fact": name, "value": value}))

    def _tell(self, told: dict[str, Any], text: str) -> None:
        self._write(json.dumps(told, ensure_ascii=False) if self._as_json else text)

    def _write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
