"""On which line of a TOML text each key stands. `tomllib` reads values without places; a refusal needs the place.

The scanner expects a text that `tomllib` has accepted: it follows the grammar of TOML 1.0 and reports nothing itself.
Where it loses its way it stops, and the keys beyond have the line of a table above them.
"""

from __future__ import annotations

import bisect
import contextlib
import re
import tomllib

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # space, line ends and comments
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_MULTILINE_BASIC = re.compile(r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', re.DOTALL)
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_MULTILINE_LITERAL = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}", re.DOTALL)
_LITERAL = re.compile(r"'[^'\n]*'")
_STRINGS = (_MULTILINE_BASIC, _MULTILINE_LITERAL, _BASIC, _LITERAL)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Every key, table header and array element of `text` by its path, with its line, counted from 1.

    `[[people]]` and arrays count their elements: `("people", 0, "name")`. A table that only its sub-tables name has
    the line of the first of them; the document itself, `()`, has line 1.
    """
    scanner = _Scanner(text)
    with contextlib.suppress(_LostError, IndexError):
        scanner.document()
    return scanner.found


class _LostError(Exception):
    """The text is not what the scanner expects at this place."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._arrays: dict[KeyPath, int] = {}  # path of an array of tables → index of its last element
        self.found: dict[KeyPath, int] = {(): 1}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                self._at += 2
                table = self._header(array=True)
            elif self._text[self._at] == "[":
                self._at += 1
                table = self._header(array=False)
            else:
                self._pair(table)
            self._skip_blank()

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self._line_ends, at) + 1

    def _record(self, path: KeyPath, at: int) -> None:
        self.found.setdefault(path, self._line(at))

    def _skip_blank(self) -> None:
        self._at = self._end(_BLANK)

    def _end(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return match.end() if match else self._at

    def _header(self, *, array: bool) -> KeyPath:
        parts = self._key()
        path: KeyPath = ()
        for n, (part, at) in enumerate(parts):
            path = (*path, part)
            last = n == len(parts) - 1
            self._record(path, at)
            if last and array:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:  # a header below an array of tables means its last element
                path = (*path, self._arrays[path])
                self._record(path, at)
        if not array:
            self.found[path] = self._line(parts[-1][1])  # its own header, even when a sub-table came before it
        self._skip_blank()
        self._at += 2 if array else 1
        return path

    def _key(self) -> list[tuple[str, int]]:
        """The parts of a dotted key with the place of each; leaves the scanner behind the key."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip_blank()
            start = self._at
            if self._text[start] in "\"'":
                pattern = _BASIC if self._text[start] == '"' else _LITERAL
                self._at = self._end(pattern)
                parts.append((tomllib.loads(f"key = {self._text[start : self._at]}")["key"], start))
            else:
                self._at = self._end(_BARE_KEY)
                if self._at == start:
                    raise _LostError
                parts.append((self._text[start : self._at], start))
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _pair(self, table: KeyPath) -> None:
        path = table
        for part, at in self._key():
            path = (*path, part)
            self._record(path, at)
        self._at += 1  # =
        self._skip_blank()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening in "\"'":
            for pattern in _STRINGS:
                match = pattern.match(self._text, self._at)
                if match:
                    self._at = match.end()
                    return
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            start, self._at = self._at, self._end(_SCALAR)
            if self._at == start:
                raise _LostError

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        self._skip_blank()
        while self._text[self._at] != "]":
            self._record((*path, index), self._at)
            self._value((*path, index))
            index += 1
            self._skip_comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip_blank()
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip_blank()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip_blank()
