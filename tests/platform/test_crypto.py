"""Sealed values, files and blind indexes: they open in their own place and nowhere else, and never show themselves."""

from __future__ import annotations

import hashlib
import hmac
import logging
import pickle
import struct
import uuid
from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from backoffice.platform.crypto import (
    MAX_FILE_BYTES,
    CannotOpen,
    Cell,
    Peppers,
    Sealed,
    TenantCipher,
    credential_hmac,
)

TENANT = uuid.UUID("01930000-0000-7000-8000-000000000001")
OTHER_TENANT = uuid.UUID("01930000-0000-7000-8000-000000000002")
CELL = Cell("worker", "ssn", uuid.UUID("01930000-0000-7000-8000-0000000000aa"))
SSN = "900-12-3456"
KEYS = {1: bytes(range(32)), 2: bytes(range(32, 64))}
ROOT = bytes(range(64, 96))


def cipher(tenant: uuid.UUID = TENANT, current: int = 2, deks: dict[int, bytes] | None = None) -> TenantCipher:
    return TenantCipher(tenant, deks or KEYS, current, index_root=ROOT)


def test_a_value_opens_in_its_own_cell() -> None:
    sealed = cipher().seal(CELL, SSN)
    assert cipher().open(CELL, sealed, purpose="w2_print") == SSN


def test_the_stored_form_is_the_published_one() -> None:
    """Opened here by hand from the layout in the design, sharing no code with the cipher."""
    token = cipher().seal(CELL, SSN).token
    assert token[0] == 0x01
    assert struct.unpack(">H", token[1:3]) == (2,)
    aad = f"v1|{TENANT}|worker|ssn|{CELL.row_id}".encode()
    assert AESGCM(KEYS[2]).decrypt(token[3:15], token[15:], aad) == SSN.encode()
    assert len(token) == 1 + 2 + 12 + len(SSN) + 16


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(CELL, row_id=uuid.UUID(int=CELL.row_id.int + 1)),
        replace(CELL, column="account_number"),
        replace(CELL, table="bank_account"),
    ],
    ids=["row", "column", "table"],
)
def test_moved_to_another_place_it_does_not_open(elsewhere: Cell) -> None:
    with pytest.raises(CannotOpen):
        cipher().open(elsewhere, cipher().seal(CELL, SSN), purpose="w2_print")


def test_another_tenant_does_not_open_it_even_with_the_same_keys() -> None:
    with pytest.raises(CannotOpen):
        cipher(OTHER_TENANT).open(CELL, cipher().seal(CELL, SSN), purpose="w2_print")


def test_a_wrong_version_does_not_open() -> None:
    token = cipher().seal(CELL, SSN).token
    for version in (1, 3, 65_535):  # an older key, a missing one, no possible one
        forged = Sealed[str](token[:1] + struct.pack(">H", version) + token[3:])
        with pytest.raises(CannotOpen):
            cipher().open(CELL, forged, purpose="w2_print")


def test_older_versions_open_and_ask_to_be_sealed_again() -> None:
    old = cipher(current=1).seal(CELL, SSN)
    now = cipher(current=2)
    assert now.open(CELL, old, purpose="w2_print") == SSN
    assert now.needs_resealing(old)
    assert not now.needs_resealing(now.seal(CELL, SSN))


@given(st.text(max_size=40), st.data())
def test_any_flipped_bit_is_noticed(text: str, data: st.DataObject) -> None:
    token = cipher().seal(CELL, text).token
    position = data.draw(st.integers(0, len(token) - 1))
    bit = data.draw(st.integers(0, 7))
    tampered = bytearray(token)
    tampered[position] ^= 1 << bit
    with pytest.raises(CannotOpen):
        cipher().open(CELL, Sealed(bytes(tampered)), purpose="w2_print")


@given(st.text(max_size=40), st.integers(0, 30))
def test_a_cut_value_is_noticed(text: str, cut: int) -> None:
    token = cipher().seal(CELL, text).token
    with pytest.raises(CannotOpen):
        cipher().open(CELL, Sealed(token[: max(0, len(token) - 1 - cut)]), purpose="w2_print")


@given(st.text())
def test_what_goes_in_comes_out(text: str) -> None:
    sealed = cipher().seal(CELL, text)
    assert cipher().open(CELL, sealed, purpose="round_trip") == text
    assert cipher().seal(CELL, text).token != sealed.token  # a fresh nonce each time


def test_it_never_shows_itself(caplog: pytest.LogCaptureFixture) -> None:
    sealed = cipher().seal(CELL, SSN)
    shown = [repr(sealed), str(sealed), f"{sealed}", f"{sealed:>20}", "%s %r" % (sealed, sealed), repr([sealed])]  # noqa: UP031
    with caplog.at_level(logging.INFO):
        logging.getLogger("sealed").info("worker %s", sealed)
    for text in [*shown, caplog.text]:
        assert "***" in text
        assert SSN not in text
        assert sealed.token.hex() not in text
    with pytest.raises(TypeError):  # no JSON door lets it out by accident
        msgspec.json.encode({"ssn": Holder(sealed)})
    assert SSN.encode() not in pickle.dumps(sealed)
    assert "3456" not in repr(cipher())


class Holder:
    def __init__(self, sealed: Sealed[str]) -> None:
        self.sealed = sealed


@pytest.mark.parametrize("purpose", ["", "w2", "W2 print", "x" * 65, "w2-print", "w2_print\n"])
def test_opening_needs_a_purpose(purpose: str) -> None:
    sealed = cipher().seal(CELL, SSN)
    with pytest.raises(ValueError, match="purpose"):
        cipher().open(CELL, sealed, purpose=purpose)
    with pytest.raises(ValueError, match="purpose"):
        cipher().open_file(CELL.row_id, cipher().seal_file(CELL.row_id, b"x"), purpose=purpose)


def test_openings_are_observed_without_the_value() -> None:
    seen: list[tuple[str, ...]] = []
    observed = TenantCipher(TENANT, KEYS, 2, index_root=ROOT, observe=lambda *what: seen.append(what))
    observed.open(CELL, observed.seal(CELL, SSN), purpose="w2_print")
    document = uuid.UUID(int=7)
    observed.open_file(document, observed.seal_file(document, b"pdf"), purpose="download")
    assert seen == [("worker", "ssn", "w2_print"), ("document", "content", "download")]


def test_cells_are_named_like_columns() -> None:
    for table, column in (("worker|x", "ssn"), ("worker", ""), ("Worker", "ssn"), ("app.worker", "ssn")):
        with pytest.raises(ValueError, match="lower-case"):
            Cell(table, column, CELL.row_id)


def test_bad_keys_are_refused() -> None:
    for deks, current in (({1: b"short"}, 1), ({0: bytes(32)}, 0), ({40_000: bytes(32)}, 40_000), ({1: bytes(32)}, 2)):
        with pytest.raises(ValueError, match=r"32 bytes|current version"):
            TenantCipher(TENANT, deks, current, index_root=ROOT)
    with pytest.raises(ValueError, match="index root"):
        TenantCipher(TENANT, KEYS, 1, index_root=b"")


def test_files_open_for_their_document_only() -> None:
    document, other = uuid.UUID(int=1), uuid.UUID(int=2)
    content = b"%PDF-1.7" + bytes(100_000)
    blob = cipher().seal_file(document, content)
    assert cipher().open_file(document, blob, purpose="download") == content
    with pytest.raises(CannotOpen):
        cipher().open_file(other, blob, purpose="download")
    with pytest.raises(CannotOpen):
        cipher(OTHER_TENANT).open_file(document, blob, purpose="download")
    with pytest.raises(CannotOpen):  # a file is no value and a value no file
        cipher().open(Cell("document", "content", document), Sealed(blob), purpose="download")
    with pytest.raises(CannotOpen):
        cipher().open_file(CELL.row_id, cipher().seal(CELL, SSN).token, purpose="download")


def test_files_have_a_limit() -> None:
    with pytest.raises(ValueError, match="64 MiB"):
        cipher().seal_file(uuid.UUID(int=1), bytes(MAX_FILE_BYTES + 1))


def test_blind_index_is_the_published_one() -> None:
    """HKDF-SHA-256 (RFC 5869) written out here with HMAC alone."""
    prk = hmac.digest(bytes(32), ROOT, hashlib.sha256)
    key = hmac.digest(prk, b"bidx|v1|ssn\x01", hashlib.sha256)
    expected = hmac.digest(key, b"900123456", hashlib.sha256)[:16]
    assert cipher().blind_index("ssn", "900-12-3456") == expected
    assert cipher().blind_index("ssn", " 900 12 3456") == expected


def test_blind_indexes_differ_by_field_tenant_and_value() -> None:
    ours = cipher()
    theirs = TenantCipher(OTHER_TENANT, KEYS, 2, index_root=bytes(32))
    found = {
        ours.blind_index("ssn", "900123456"),
        ours.blind_index("bank_account", "900123456"),
        ours.blind_index("ssn", "900123457"),
        theirs.blind_index("ssn", "900123456"),
    }
    assert len(found) == 4
    assert all(len(index) == 16 for index in found)
    assert ours.blind_index("email", " Ana@Example.com ") == ours.blind_index("email", "ana@example.COM")
    assert ours.blind_index("bank_account", "00-12 ab") == ours.blind_index("bank_account", "0012AB")
    assert ours.blind_index("bank_account", "0012") != ours.blind_index("bank_account", "12")


def test_low_entropy_fields_have_no_blind_index() -> None:
    for field in ("birth_date", "ssn_last4", "name"):
        with pytest.raises(KeyError):
            cipher().blind_index(field, "1990-01-01")
    with pytest.raises(ValueError, match="empty"):
        cipher().blind_index("ssn", "---")


def test_a_new_dek_leaves_look_ups_valid() -> None:
    assert cipher(current=1).blind_index("ssn", SSN) == cipher(current=2).blind_index("ssn", SSN)


def test_credential_hmac_is_hmac_sha256() -> None:
    pepper = b"p" * 32
    expected = hmac.new(pepper, b"bo_sk_test_x", hashlib.sha256).digest()
    assert credential_hmac(pepper, "bo_sk_test_x") == expected
    with pytest.raises(ValueError, match="32 bytes"):
        credential_hmac(b"short", "bo_sk_test_x")


def test_peppers_rotate_with_overlap() -> None:
    old, new = b"1" * 32, b"2" * 32
    before = Peppers({1: old})
    after = Peppers({1: old, 2: new})
    assert after.current == 2
    assert after.for_storage("key") == credential_hmac(new, "key")
    assert after.candidates("key") == (credential_hmac(new, "key"), credential_hmac(old, "key"))
    assert before.for_storage("key") in after.candidates("key")
    assert "1111" not in repr(after)
    for bad in ({}, {1: b"short"}):
        with pytest.raises(ValueError, match="pepper"):
            Peppers(bad)
