"""Tokens of download links: signed, short-lived, and None for anything else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.documents.http import download_headers
from backoffice.documents.links import DownloadLinks, sign, verify

KEY = bytes(range(32))
TENANT = UUID("01930000-0000-7000-8000-000000000001")
LINK = UUID("01930000-0000-7000-8000-000000000002")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = sign(KEY, TENANT, LINK, NOON)


def test_what_was_signed_is_told_until_it_expires() -> None:
    assert verify(KEY, TOKEN, NOON - timedelta(seconds=1)) == (TENANT, LINK)
    assert verify(KEY, TOKEN, NOON) is None
    assert verify(KEY, TOKEN, NOON + timedelta(days=1)) is None


def test_another_key_signs_another_token() -> None:
    assert verify(bytes(32), TOKEN, NOON - timedelta(minutes=1)) is None
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", TENANT, LINK, NOON)


def test_the_url_is_safe_and_the_key_does_not_show() -> None:
    links = DownloadLinks(KEY, "https://api.example.com/")
    url = links.url(TENANT, LINK, NOON)
    assert url == f"https://api.example.com/v1/downloads/{TOKEN}"
    assert set(TOKEN) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert links.verify(TOKEN, NOON - timedelta(minutes=1)) == (TENANT, LINK)
    assert "x00" not in repr(links)


@given(place=st.integers(0, len(TOKEN) - 1), letter=st.sampled_from("ABCZabcz019-_"))
def test_one_changed_letter_is_refused(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    before = NOON - timedelta(minutes=1)
    same = base64.urlsafe_b64decode(changed + "=" * (-len(changed) % 4)) == base64.urlsafe_b64decode(
        TOKEN + "=" * (-len(TOKEN) % 4)
    )
    assert (verify(KEY, changed, before) is not None) == same  # the last letter has bits that stand for nothing


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    assert verify(KEY, text, NOON - timedelta(minutes=1)) is None


def test_a_file_is_saved_under_its_name() -> None:
    headers = download_headers('Łódź "2026" 100%.pdf')
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"__d_ _2026_ 100_.pdf\"; filename*=UTF-8''%C5%81%C3%B3d%C5%BA%20%222026%22%20100%25.pdf"
    )
