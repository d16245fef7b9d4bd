"""PDF by typst: archivable (PDF/A-3a), accessible (PDF/UA-1) and the same bytes for the same input.

A template is a file of a package; its input is one JSON document, read with `json(bytes(sys.inputs.document))`. Only
the fonts inside the typst wheel are used (Libertinus Serif covers Latin, Greek and Cyrillic), so a page looks the same
on every machine. A character that no font has is written out as its code point, `[U+738B]`: PDF/A-3a forbids missing
glyphs, and leaving it out would change a name.
"""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import msgspec
import typst

_MISSING = re.compile(r"the text `\"(.*?)\"` could not be displayed", re.DOTALL)
_ESCAPED = re.compile(r"\\u\{([0-9a-f]{1,6})\}")  # how typst writes marks and other invisible characters
_LATIN = "\u024f"  # the end of Latin Extended-B
_PASSES = 8
_UNPRINTED = frozenset({"Cs", "Co", "Cn"})


class PdfFault(Exception):
    """The template or its input cannot be typeset: a fault of ours. Holds typst's message without the input's text."""


def typeset(package: str, template: str, document: Mapping[str, Any], *, at: datetime) -> bytes:
    """The PDF of `template` (`templates/pay_stub.typ`) in `package` (`backoffice.payroll`) with `document` as input.

    `document` holds what JSON can hold; texts are cleaned of control characters first. `at` (aware) is the creation
    date inside the file and the only time that gets there. PdfFault when typst refuses."""
    if at.tzinfo is None:
        raise ValueError("a PDF is made at an aware instant")
    cleaned = _each_text(document, clean)
    source = _template(package, template)
    missing: set[str] = set()
    for _ in range(_PASSES):
        try:
            return _compile(source, _each_text(cleaned, lambda text: _without(text, missing)), at)
        except typst.TypstError as fault:
            found = _told_missing(fault) - missing
            if not found:
                raise PdfFault(f"{template}: {_MISSING.sub('a text could not be displayed', fault.message)}") from None
            # A letter is reported with the strange mark that stands on it: the stranger goes first.
            missing.update({character for character in found if character > _LATIN} or found)
    raise PdfFault(f"{template}: characters without a glyph are still left after {_PASSES} passes")


async def typeset_in_thread(package: str, template: str, document: Mapping[str, Any], *, at: datetime) -> bytes:
    """`typeset` from async code, at most one page per core at a time; the event loop stays free."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), lambda: typeset(package, template, document, at=at))


def clean(text: str) -> str:
    """Composed (NFC) and printable: control characters and line or paragraph separators become spaces, invisible
    format characters (which could turn a line around) fall away, unassigned and private ones are spelled out."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif category in _UNPRINTED:
            kept.append(_spelled(character))
        elif category != "Cf":
            kept.append(character)
    return "".join(kept)


def _told_missing(fault: typst.TypstError) -> set[str]:
    """The characters that typst could not display, from its message."""
    told = "".join(_MISSING.findall(str(fault.diagnostic)))
    return set(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), told))


def _without(text: str, missing: set[str]) -> str:
    return "".join(_spelled(character) if character in missing else character for character in text)


def _spelled(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_text(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(part, change) for part in value]
    return value


def _compile(source: bytes, document: Any, at: datetime) -> bytes:
    made = typst.compile(
        source,
        format="pdf",
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"document": msgspec.json.encode(document).decode()},
        pdf_standards=["a-3a", "ua-1"],
        timestamp=at.astimezone(UTC),
    )
    assert isinstance(made, bytes)
    return made


@cache
def _template(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="typst")
