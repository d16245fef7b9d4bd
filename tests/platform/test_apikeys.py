"""API keys: the format that scanners know, and a checksum that stops typing errors before the database."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.platform import apikeys

VECTOR = "bo_sk_test_EXAMPLEonlyEXAMPLEonlyEXAMPLE01YEiuC"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_the_published_vector() -> None:
    key = apikeys.parse(VECTOR)
    assert key is not None
    assert (key.kind, key.mode, key.text) == ("sk", "test", VECTOR)
    assert apikeys.checksum("EXAMPLEonlyEXAMPLEonlyEXAMPLE0") == "1YEiuC"


@pytest.mark.parametrize("kind", apikeys.KINDS)
@pytest.mark.parametrize("mode", apikeys.MODES)
def test_made_keys_parse_and_are_found_by_scanners(kind: apikeys.Kind, mode: apikeys.Mode) -> None:
    text = apikeys.make(kind, mode)
    key = apikeys.parse(text)
    assert key is not None
    assert (key.kind, key.mode) == (kind, mode)
    found = re.search(apikeys.SCANNER_PATTERN, f'KEY="{text}";')
    assert found is not None
    assert found[0] == text
    assert len(text) == len("bo_sk_live_") + 36


def test_keys_differ() -> None:
    assert len({apikeys.make("sk", "live") for _ in range(1000)}) == 1000


@given(st.text(alphabet=BASE62, min_size=30, max_size=30))
def test_checksum_is_crc32_in_base62(body: str) -> None:
    text = apikeys.checksum(body)
    assert len(text) == 6
    value = 0
    for character in text:
        value = value * 62 + BASE62.index(character)
    assert value == zlib.crc32(body.encode())


@given(st.integers(11, 46), st.sampled_from(BASE62))
def test_one_wrong_character_is_refused(position: int, character: str) -> None:
    wrong = VECTOR[:position] + character + VECTOR[position + 1 :]
    assert (apikeys.parse(wrong) is None) == (wrong != VECTOR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bo_sk_test_",
        VECTOR + "\n",
        " " + VECTOR,
        VECTOR[:-1],
        VECTOR + "0",
        VECTOR.replace("bo_", "xx_"),
        VECTOR.replace("_sk_", "_zz_"),
        VECTOR.replace("_test_", "_prod_"),
        VECTOR.replace("EXAMPLE0", "EXAMPLÉ0"),
        VECTOR.lower(),
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert apikeys.parse(text) is None


def test_the_secret_stays_out_of_the_repr() -> None:
    key = apikeys.parse(VECTOR)
    assert key is not None
    assert "EXAMPLE" not in repr(key)
    assert key.hint == "bo_sk_test_…EiuC"


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        apikeys.make("xx", "live")  # type: ignore[arg-type]
