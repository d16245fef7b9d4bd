"""PDF by typst: standards, fonts, cleaned texts, the same bytes, and threads."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backoffice.platform import pdf

AT = datetime(2026, 11, 17, 14, 30, tzinfo=UTC)
LETTER = """
#let document-in = json(bytes(sys.inputs.document))
#set document(title: document-in.title)
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"), lang: "en", ligatures: false)
= #document-in.title
#document-in.body
"""


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package of the test with templates in it."""
    root = tmp_path_factory.mktemp("site")
    package = root / "letters_of_the_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "letter.typ").write_text(LETTER)
    (package / "broken.typ").write_text("#set document(title: [x])\n#nothing-of-that-name\n")
    (package / "untagged.typ").write_text("no title, so PDF/UA-1 refuses it")
    sys.path.insert(0, str(root))
    yield package.name
    sys.path.remove(str(root))


def letter(package: str, body: str, *, at: datetime = AT) -> bytes:
    return pdf.typeset(package, "letter.typ", {"title": "A letter", "body": body}, at=at)


def text_of(made: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)


def test_it_says_that_it_is_pdf_a_3a_and_pdf_ua_1(letters: str) -> None:
    root: Any = pypdf.PdfReader(io.BytesIO(letter(letters, "Hello"))).trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]["/K"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert root["/OutputIntents"]


def test_the_same_input_gives_the_same_bytes_and_the_date_is_the_given_one(letters: str) -> None:
    first = letter(letters, "Hello")
    assert letter(letters, "Hello") == first
    assert letter(letters, "Hello", at=AT.astimezone(timezone(timedelta(hours=-5)))) == first
    assert letter(letters, "Hello", at=AT + timedelta(seconds=1)) != first
    assert letter(letters, "Hallo") != first
    reader = pypdf.PdfReader(io.BytesIO(first))
    assert reader.metadata is not None
    assert reader.metadata.creation_date == AT
    assert reader.metadata.title == "A letter"
    with pytest.raises(ValueError, match="aware"):
        letter(letters, "Hello", at=AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    "text", ["Łódź", "Conceição", "Nguyễn Thị Đào", "Þórður Æsir", "İpek Işık", "Жанна", "Ωμέγα", "O’Brien – “x”"]
)
def test_names_come_out_as_they_go_in(letters: str, text: str) -> None:
    assert text in text_of(letter(letters, f"Dear {text}!"))


@pytest.mark.parametrize(
    ("given_", "printed"),
    [("王小明", "[U+738B][U+5C0F][U+660E]"), ("Ana 🙂!", "Ana [U+1F642]!"), ("A\u0953b", "A[U+0953]b")],
)
def test_a_character_without_a_glyph_is_spelled_out(letters: str, given_: str, printed: str) -> None:
    assert printed in text_of(letter(letters, given_)).replace("\n", "")


@pytest.mark.parametrize(
    ("given_", "cleaned"),
    [
        ("A\x00B\x07C\nD\tE\x7fF\u0085G", "A B C D E F G"),
        ("line\u2028and\u2029paragraph", "line and paragraph"),
        ("\u202egnp.exe", "gnp.exe"),
        ("A\u200bna\ufeff", "Ana"),
        ("e\u0301", "é"),
        ("\ue000", "[U+E000]"),
        ("\ud800", "[U+D800]"),
        ("Łódź", "Łódź"),
    ],
)
def test_texts_are_cleaned(given_: str, cleaned: str) -> None:
    assert pdf.clean(given_) == cleaned


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
@example("\u065c\u0366\ufe0e")
@example("À\u0953\U000e0109\u06ec\U0001f1f5")
def test_any_text_makes_a_page(letters: str, text: str) -> None:
    assert letter(letters, text).startswith(b"%PDF-1.7")


def test_input_is_text_and_never_markup(letters: str) -> None:
    body = '#panic("x") $x$ *b* _i_ \\ <l> @r // c'
    assert body in text_of(letter(letters, body))


@pytest.mark.parametrize("template", ["broken.typ", "untagged.typ"])
def test_a_broken_template_is_told(letters: str, template: str) -> None:
    with pytest.raises(pdf.PdfFault, match=template):
        pdf.typeset(letters, template, {"title": "secret"}, at=AT)


def test_the_event_loop_stays_free(letters: str) -> None:
    """While one long document is set, the loop goes on turning: about a hundred times, where a compile on the loop
    itself leaves it one turn and one that kept the interpreter's lock five. Turns are counted and not timed, with the
    collector off: a full collection over the test run's own heap stops every thread for longer than the document."""

    async def scenario() -> int:
        turns = 0
        document = {"title": "A letter", "body": "Hello " * 30_000}
        setting = asyncio.create_task(pdf.typeset_in_thread(letters, "letter.typ", document, at=AT))
        while not setting.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert (await setting).startswith(b"%PDF-1.7")
        return turns

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scenario()) >= 15
    finally:
        gc.enable()


def test_pages_set_side_by_side_are_the_pages_set_alone(letters: str) -> None:
    async def scenario() -> list[bytes]:
        return await asyncio.gather(
            *(
                pdf.typeset_in_thread(letters, "letter.typ", {"title": "A letter", "body": f"Page {n % 4}"}, at=AT)
                for n in range(12)
            )
        )

    assert asyncio.run(scenario()) == [letter(letters, f"Page {n % 4}") for n in range(12)]


def test_only_fonts_of_the_wheel_are_used(letters: str) -> None:
    resources: Any = pypdf.PdfReader(io.BytesIO(letter(letters, "Hello"))).pages[0]["/Resources"]
    fonts = [font["/BaseFont"] for font in resources["/Font"].get_object().values()]
    assert fonts
    assert all("Libertinus" in name for name in fonts)


def test_templates_lie_in_the_package() -> None:
    folder = Path(pdf.__file__).parents[1] / "payroll" / "templates"
    assert (folder / "pay_stub.typ").is_file()
