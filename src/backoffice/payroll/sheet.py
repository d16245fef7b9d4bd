"""A CSV file as people's programmes write it: heads, then rows of text cells, each with the line it begins on.

UTF-8 with or without a byte order mark, any line ends, quotes as in RFC 4180 (a cell may span lines). Commas stand
between the cells, or semicolons or tabs where the heads have those and no comma. Spaces around a head or a cell mean
nothing, rows of empty cells are skipped, and so are columns that are empty from head to foot.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import IO

from backoffice.kernel.errors import Fault

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = ",;\t"


class SheetRefused(Exception):
    """The file cannot be used at all: `sentences` say why, every reason at once."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class Sheet:
    """`heads` as written, and `rows()` to read once. SheetRefused for heads that name nothing or one thing twice."""

    def __init__(self, source: IO[bytes]) -> None:
        first = source.readline()
        if first.startswith(_UTF_16):
            raise SheetRefused(["The file is UTF-16: save it as CSV UTF-8."])
        separator = next((mark for mark in _SEPARATORS if mark.encode() in first), ",")
        self._lines = _Lines(first, source)
        self._reader = csv.reader(self._lines, delimiter=separator, strict=True)
        self._end = 0  # the line on which the row before ended
        found = next(self._next(), None)
        if found is None:
            raise SheetRefused(["The file is empty: its first line must be the heads."])
        _, heads, fault = found
        if heads is None:
            raise SheetRefused([f"The heads on line 1 cannot be read: {fault.detail if fault else ''}"])
        self.heads = heads
        named = [head for head in heads if head]
        if twice := [head for head, times in Counter(named).items() if times > 1]:
            raise SheetRefused([f"The head {head} stands twice; give it once." for head in twice])
        if not named:
            raise SheetRefused(["The first line must be the heads; all its cells are empty."])

    def rows(self) -> Iterator[tuple[int, list[str] | None, Fault | None]]:
        """(line, cells, None) of each row, as many cells as heads; (line, None, fault) of one that is no row."""
        for line, cells, fault in self._next():
            if cells is None:
                yield line, None, fault
            elif any(cells):
                yield self._fitted(line, cells)

    def _fitted(self, line: int, cells: list[str]) -> tuple[int, list[str] | None, Fault | None]:
        width = len(self.heads)
        if len(cells) < width or any(cells[width:]):
            detail = f"The row has {len(cells)} cells and the file {width} heads: is a quote or a separator missing?"
            return line, None, Fault("wrong_cell_count", detail, "#")
        for number, (head, cell) in enumerate(zip(self.heads, cells, strict=False), start=1):
            if cell and not head:
                return line, None, Fault("no_head", f"Column {number} has a value and no head.", "#")
        return line, cells[:width], None

    def _next(self) -> Iterator[tuple[int, list[str] | None, Fault | None]]:
        while True:
            line = self._lines.taken + 1
            try:
                cells = [cell.strip() for cell in next(self._reader)]
            except StopIteration:
                return
            except csv.Error as error:
                yield line, None, Fault("invalid_csv", f"The row that begins on line {line} is no CSV: {error}.", "#")
                continue
            if any("\udc80" <= mark <= "\udcff" for cell in cells if not cell.isascii() for mark in cell):
                yield line, None, Fault("invalid_encoding", "The row is not UTF-8: save the file as CSV UTF-8.", "#")
                continue
            yield line, cells, None


class _Lines:
    """The lines of a file as text, counted as they are taken; bytes that are no UTF-8 stay visible as surrogates."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self.taken = 0
        self._first: bytes | None = first.removeprefix(b"\xef\xbb\xbf")
        self._rest = rest

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._first = (self._first, None) if self._first is not None else (self._rest.readline(), None)
        if not line:
            raise StopIteration
        self.taken += 1
        return line.decode("utf-8", errors="surrogateescape")
