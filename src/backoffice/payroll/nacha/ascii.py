"""Names as banks can read them: ASCII, upper case.

The mapping, in this order:
1. letters that Unicode does not take apart go by the table below (Ł → L, Ø → O, ß → SS, Æ → AE, Þ → TH …);
2. typographic quotes, dashes and spaces become their ASCII forms;
3. the rest is taken apart (NFKD) and loses its marks: Ó → O, Ç → C, Ã → A, Ü → U (not UE: the letter, not a spelling);
4. upper case, runs of spaces become one, ends are trimmed.
What then is still no printable ASCII (王, Ж, an emoji, a control character) is reported, never dropped or replaced: a
person decides how that name is written at the bank.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = {
    "Æ": "AE",
    "Ð": "D",
    "Ø": "O",
    "Þ": "TH",
    "ß": "SS",
    "ẞ": "SS",
    "Đ": "D",
    "Ħ": "H",
    "ı": "I",
    "ĸ": "K",
    "Ł": "L",
    "Ŋ": "NG",
    "Œ": "OE",
    "Ŧ": "T",
    "Ɓ": "B",
    "Ɗ": "D",
    "Ɖ": "D",
    "Ǝ": "E",
    "Ə": "E",
    "Ɛ": "E",
    "Ƙ": "K",
    "Ɔ": "O",
    "Ƴ": "Y",
    "Ɣ": "G",
    "Ɩ": "I",
    "Ʋ": "V",
    "Ʊ": "U",
    "Ɨ": "I",
    "Ʉ": "U",
    "Ⱥ": "A",
    "Ⱦ": "T",
    "Ɵ": "O",
    "Ǥ": "G",
    "Ʒ": "Z",
    "Ƶ": "Z",
}
_SIGNS: Final = {
    **dict.fromkeys("‘’‚‛ʹʻʼʽʾʿˈ′´`ꞌ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("·•‧", "."),
    "⁄": "/",
    "\t": " ",
}
_TABLE: Final = str.maketrans(
    {**_SIGNS, **_LETTERS, **{letter.lower(): plain for letter, plain in _LETTERS.items() if len(letter.lower()) == 1}}
)


@dataclass(frozen=True, slots=True)
class Transliteration:
    """`text` as written to the file; `unreadable` the characters that have no ASCII form, in order, each once."""

    text: str
    unreadable: tuple[str, ...]


def transliterate(text: str) -> Transliteration:
    """`Łódź` → `LODZ`, `Conceição` → `CONCEICAO`. Characters without a form stay out of `text` and are listed."""
    kept: list[str] = []
    unreadable: dict[str, None] = {}
    for given in unicodedata.normalize("NFC", text):
        for character in unicodedata.normalize("NFKD", given.translate(_TABLE)).translate(_TABLE):
            if " " <= character <= "~":
                kept.append(character)
            elif unicodedata.category(character) == "Zs":
                kept.append(" ")
            elif unicodedata.category(character) not in ("Mn", "Me", "Cf"):  # marks and invisible joiners fall away
                unreadable[given] = None
    return Transliteration(" ".join("".join(kept).upper().split()), tuple(unreadable))
