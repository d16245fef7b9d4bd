"""Webhook signatures: the published vector, and the public library as the receiver."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from backoffice.platform import signatures

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
BODY = b'{"id":"evt_01","type":"payroll_run.approved"}'


def test_the_published_vector() -> None:
    expected = "v1,1bHfvBLen4ajJ8LPOSYGOlXhwqJW/rB0O1GjCqVO560="
    assert signatures.sign(SECRET, "evt_01", 1795262400, BODY) == expected


@given(st.text(alphabet="abcdefghjkmnpqrstvwxyz0123456789_", min_size=1, max_size=30), st.text())
def test_the_public_library_accepts(message_id: str, text: str) -> None:
    secret = signatures.generate_secret()
    headers = signatures.headers([secret], message_id, int(time.time()), text.encode())
    Webhook(secret).verify(text, headers, json_parse=False)


def test_either_secret_verifies_while_two_overlap_and_a_third_does_not() -> None:
    new, old, foreign = (signatures.generate_secret() for _ in range(3))
    headers = signatures.headers([new, old], "evt_01", int(time.time()), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    Webhook(new).verify(BODY, headers)
    Webhook(old).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(foreign).verify(BODY, headers)


@pytest.mark.parametrize("change", ["id", "timestamp", "body"])
def test_any_changed_part_is_refused(change: str) -> None:
    now = int(time.time())
    headers = signatures.headers([SECRET], "evt_01", now, BODY)
    if change == "id":
        headers["webhook-id"] = "evt_02"
    if change == "timestamp":
        headers["webhook-timestamp"] = str(now - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" " if change == "body" else BODY, headers)


def test_receivers_reject_old_ones() -> None:
    headers = signatures.headers([SECRET], "evt_01", int(time.time()) - 301, BODY)
    with pytest.raises(WebhookVerificationError, match="old"):
        Webhook(SECRET).verify(BODY, headers)


def test_secrets_are_long_and_different() -> None:
    made = {signatures.generate_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32 for secret in made)


@pytest.mark.parametrize("secret", ["", "whsec_", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "whsec_!!", "whsec_AAAA"])
def test_bad_secrets_are_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        signatures.sign(secret, "evt_01", 1, BODY)


def test_nothing_leaves_unsigned() -> None:
    with pytest.raises(ValueError, match="without a signature"):
        signatures.headers([], "evt_01", 1, BODY)
