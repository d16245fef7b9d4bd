"""What the courier's own client makes of an answer, whatever it looks like."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.platform.courier.raw import BODY, OK, SECRET, envelope, receiver, sender

from backoffice.platform.courier.client import connection as client
from backoffice.platform.courier.client.connection import READ_LIMIT
from backoffice.platform.courier.sender import KEEP_BYTES
from backoffice.platform.courier.verdict import Answer

CHUNKED = b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n"


async def told(said: bytes, **more: Any) -> Answer:
    """What is made of an answer that is these bytes, after which the receiver says no more and does not hang up."""
    async with receiver(said) as raw, sender(**more) as sending:
        answer = await sending.send(envelope(raw.url), loopback=True)
        assert len(raw.requests) == 1
    return answer


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (OK, 200, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b""),  # what a success says is not kept
        (b"HTTP/1.0 500 No\r\nContent-Length: 4\r\n\r\nwhy?", 500, b"why?"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (CHUNKED + b"3\r\nwhy\r\n1;x=y\r\n?\r\n0\r\nTrailer: z\r\n\r\n", 400, b"why?"),
        (b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", 500, b"\x1f\x8b\x08"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b""),
        (b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b""),
        (b"HTTP/1.1 103 Early\r\nRetry-After: 7\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc", 101, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\nabc", 101, b""),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999, b""),
    ],
)
async def test_an_answer_is_its_status_and_the_body_of_a_refusal(said: bytes, status: int, body: bytes) -> None:
    answer = await told(said)
    assert (answer.status, answer.error_code, answer.body) == (status, None, body)
    assert answer.retry_after is None


async def test_an_answer_without_length_ends_with_its_connection() -> None:
    async def say(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 No\r\nRetry-After: 7\r\n\r\nwhy")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"?")

    async with receiver(say) as raw, sender() as sending:
        answer = await sending.send(envelope(raw.url), loopback=True)
    assert (answer.status, answer.body, answer.retry_after, answer.error_code) == (500, b"why?", "7", None)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",  # a TLS alert
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (READ_LIMIT + 1),  # a head without end
        b"HTTP/1.1 103 Early\r\n\r\n" * 4_000,  # 1xx without end
    ],
)
async def test_what_is_no_answer_is_told_as_malformed_and_never_taken_for_a_success(said: bytes) -> None:
    answer = await told(said)
    assert (answer.status, answer.error_code, answer.body) == (None, "answer_malformed", b"")


@pytest.mark.moment
@pytest.mark.parametrize(
    ("said", "body"),
    [
        (CHUNKED + b"zz\r\n", b""),
        (CHUNKED + b"3\r\nwhy\r\nzz\r\n", b"why"),
        (b"HTTP/1.1 400 No\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 2 * READ_LIMIT, b"x" * KEEP_BYTES),
        (b"HTTP/1.1 400 No\r\n\r\n" + b"x" * 2 * READ_LIMIT, b"x" * KEEP_BYTES),
        (CHUNKED + (b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 32, b"x" * KEEP_BYTES),
        (CHUNKED + (b"1" + b";" + b"e" * 1000 + b"\r\nx\r\n") * 200, None),  # little is said in much
    ],
)
async def test_with_a_status_the_answer_is_known_and_no_more_than_64_kb_of_it_are_read(
    said: bytes, body: bytes | None
) -> None:
    answer = await told(said)
    assert (answer.status, answer.error_code) == (400, None)
    assert answer.milliseconds < 1_000, "its end is not waited for"
    assert body is None or answer.body == body
    assert len(answer.body) <= KEEP_BYTES


@pytest.mark.moment
async def test_a_success_is_one_however_its_body_ends(monkeypatch: Any) -> None:
    monkeypatch.setattr(client, "DRAIN_SECONDS", 0.05)
    head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n"
    slow = await told(head + b"x")
    assert (slow.status, slow.error_code, slow.body, slow.milliseconds < 1_000) == (202, None, b"", True)

    async def breaks_off(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"x")

    async with receiver(breaks_off) as raw, sender() as sending:
        answer = await sending.send(envelope(raw.url), loopback=True)
        assert (answer.status, answer.error_code) == (202, None)


@pytest.mark.parametrize(
    ("said", "code"), [(b"", "timeout"), (b"HTTP/1.1 200 O", "timeout"), (None, "connection_lost")]
)
async def test_no_answer_is_told_by_why(said: bytes | None, code: str) -> None:
    async def say(_: int, __: asyncio.StreamWriter) -> bytes | None:
        return said

    async with receiver(say) as raw, sender(total=0.2) as sending:
        answer = await sending.send(envelope(raw.url), loopback=True)
    assert (answer.status, answer.error_code) == (None, code)
    assert (answer.milliseconds >= 190) == (code == "timeout")


async def test_a_refusal_whose_body_never_ends_is_answered_when_the_time_is_over() -> None:
    answer = await told(b"HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 1000\r\n\r\nbusy", total=0.2)
    assert (answer.status, answer.error_code, answer.retry_after, answer.body) == (503, None, "3", b"busy")


async def test_the_request_is_signed_and_says_no_more_than_it_must() -> None:
    async with receiver(OK) as raw, sender() as sending:
        url = f"{raw.url}hooks%20x?a=1&b=%C3%A9"
        traced = f"00-{'1' * 32}-{'2' * 16}-01"
        assert (await sending.send(envelope(url), traced, loopback=True)).status == 200
    line, *lines = raw.requests[0].decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(each.split(": ", 1) for each in lines)
    assert line == "POST /hooks%20x?a=1&b=%C3%A9 HTTP/1.1"
    assert Webhook(SECRET).verify(BODY, headers) == {"id": "evt_1"}
    for name in ("webhook-timestamp", "webhook-signature"):
        headers.pop(name)
    assert headers == {
        "Host": raw.url.removeprefix("http://").removesuffix("/"),
        "Content-Type": "application/json",
        "User-Agent": "backoffice-webhooks/1",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(BODY)),
        "webhook-id": "evt_1",
        "traceparent": traced,
    }
