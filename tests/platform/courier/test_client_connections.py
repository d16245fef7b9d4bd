"""Which connection the courier's own client asks on: kept, guarded, secured, given up; and that it asks once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from tests.platform.courier.raw import OK, envelope, receiver, sender
from tests.platform.courier.test_proxy import HOST, _certificate, behind_a_proxy
from tests.platform.test_ssrf import Lying
from tests.webhooks.bench import until

from backoffice.platform.courier.client import dialing, pool
from backoffice.platform.courier.client.faults import NoAnswer, ProxyUnreachable
from backoffice.platform.courier.client.names import Names
from backoffice.platform.courier.client.target import target_of


async def test_a_connection_is_asked_again_and_each_has_one_request_at_a_time() -> None:
    together = asyncio.Barrier(3)

    async def say(number: int, _: asyncio.StreamWriter) -> bytes:
        if number > 2:
            await together.wait()
        return OK

    async with receiver(say) as raw, sender() as sending:
        for _ in range(2):
            assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        assert raw.connections == 1
        answers = await asyncio.gather(*(sending.send(envelope(raw.url), loopback=True) for _ in range(3)))
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert raw.connections == 3
        assert raw.open == 3
        await sending.close()
        await until(lambda: raw.open == 0)
    assert len(raw.requests) == 5


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + OK,  # more than was asked for
        OK + b"HTTP/1.1 2",
        OK + b"?",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    ],
)
async def test_no_second_request_follows_an_answer_that_leaves_doubt(said: bytes) -> None:
    async with receiver(said) as raw, sender() as sending:
        first = await sending.send(envelope(raw.url), loopback=True)
        again = await sending.send(envelope(raw.url), loopback=True)
        assert (first.status, first.error_code) == (again.status, again.error_code)
        assert first.status in (200, 101, 500)
        assert (raw.connections, len(raw.requests)) == (2, 2)


async def test_what_is_said_unasked_is_never_taken_for_the_next_answer() -> None:
    async def say(number: int, writer: asyncio.StreamWriter) -> bytes:
        if number == 1:
            asyncio.get_running_loop().call_later(0.03, writer.write, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        return OK

    async with receiver(say) as raw, sender() as sending:
        assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        async with asyncio.timeout(pool.IDLE_SECONDS / 2):
            await until(lambda: raw.open == 0)  # we hang up on it
        assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        assert raw.connections == 2


async def test_a_receiver_that_closes_an_idle_connection_is_asked_on_a_new_one() -> None:
    async def say(number: int, writer: asyncio.StreamWriter) -> bytes:
        if number == 1:
            asyncio.get_running_loop().call_later(0.02, writer.close)
        return OK

    async with receiver(say) as raw, sender() as sending:
        assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        await asyncio.sleep(0.05)
        assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        assert (raw.connections, len(raw.requests)) == (2, 2)


async def test_a_post_is_never_repeated_by_itself() -> None:
    """A kept connection that ends with the request upon it: the receiver may have taken it."""

    async def say(number: int, _: asyncio.StreamWriter) -> bytes | None:
        return OK if number == 1 else None

    async with receiver(say) as raw, sender() as sending:
        assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        assert (await sending.send(envelope(raw.url), loopback=True)).error_code == "connection_lost"
        await asyncio.sleep(0.05)
        assert (raw.connections, len(raw.requests)) == (1, 2)


async def test_each_request_on_a_connection_has_its_whole_time() -> None:
    async def say(_: int, __: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.2)
        return OK

    async with receiver(say) as raw, sender(total=0.35) as sending:
        for _ in range(2):
            assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
        assert raw.connections == 1


async def test_an_idle_connection_is_closed_before_receivers_do_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.05)
    async with receiver(OK) as raw, sender() as sending:
        await sending.send(envelope(raw.url), loopback=True)
        await asyncio.sleep(0.07)
        await sending.send(envelope(raw.url), loopback=True)
        assert raw.connections == 2  # too old to be asked, though nobody has looked yet
        await until(lambda: raw.open == 0)
        await until(lambda: sending._loopback._timer is None)  # nobody is waited for or kept: nobody looks
        assert not sending._loopback._asked


async def test_who_waits_no_longer_leaves_no_connection_behind() -> None:
    async def say(_: int, __: asyncio.StreamWriter) -> bytes:
        return b""

    async with receiver(say) as raw, sender() as sending:
        asking = asyncio.create_task(sending.send(envelope(raw.url), loopback=True))
        await until(lambda: len(raw.requests) == 1)
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: raw.open == 0)


# -- where it may go


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_loopback_is_refused_as_its_socket_is_made(host: str) -> None:
    async with receiver(OK) as raw, sender() as sending:
        port = target_of(raw.url).origin.port
        answer = await sending.send(envelope(f"http://{host}:{port}/"), loopback=False)
        assert (answer.status, answer.error_code, raw.connections) == (None, "address_refused", 0)


async def test_a_name_is_looked_up_once_in_a_while_and_guarded_each_time() -> None:
    """A resolver that tells the truth once; and an address that only the socket's guard would refuse."""
    async with receiver(OK) as raw, sender(resolver=Lying(["127.0.0.1"])) as sending:
        url = raw.url.replace("127.0.0.1", HOST)
        for _ in range(2):
            assert (await sending.send(envelope(url), loopback=True)).status == 200
        assert raw.requests[0].startswith(f"POST / HTTP/1.1\r\nHost: {HOST}:".encode())
    async with receiver(OK) as raw, sender(resolver=Lying(["127.0.0.1", "10.0.0.1"], ["8.8.8.8"])) as sending:
        url = raw.url.replace("127.0.0.1", HOST)
        assert (await sending.send(envelope(url), loopback=True)).error_code == "address_refused"
        assert (await sending.send(envelope(url), loopback=True)).error_code == "address_refused"  # its port
        assert raw.connections == 0


async def test_the_next_address_is_tried_where_nobody_listens() -> None:
    async with receiver(OK) as raw, sender(resolver=Lying(["127.0.0.2", "127.0.0.1"])) as sending:
        assert (await sending.send(envelope(raw.url.replace("127.0.0.1", HOST)), loopback=True)).status == 200


async def test_a_name_that_was_not_found_is_looked_up_again() -> None:
    class Late(Lying):
        async def resolve(self, *args: Any, **more: Any) -> Any:
            if found := await super().resolve(*args, **more):
                return found
            raise socket.gaierror(socket.EAI_AGAIN, "not now")

    async with receiver(OK) as raw, sender(resolver=Late([], ["127.0.0.1"])) as sending:
        url = raw.url.replace("127.0.0.1", HOST)
        assert (await sending.send(envelope(url), loopback=True)).error_code == "name_not_found"
        assert (await sending.send(envelope(url), loopback=True)).status == 200


async def test_name_servers_that_say_nothing_keep_nobody_else_waiting() -> None:
    """A hundred names are being asked for as another receiver is connected to and answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        names = Names([f"127.0.0.1:{silent.getsockname()[1]}"])
        async with receiver(OK) as raw, sender(resolver=names, connect=60.0, total=60.0) as sending:
            urls = [f"http://name-{number}.example.com:8443/" for number in range(100)]
            asking = [asyncio.create_task(sending.send(envelope(url), loopback=True)) for url in urls]
            silent.setblocking(False)
            await asyncio.get_running_loop().sock_recv(silent, 512)
            assert (await sending.send(envelope(raw.url), loopback=True)).status == 200
            assert not any(each.done() for each in asking)
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)


async def test_names_are_found_in_the_hosts_file_and_not_where_no_server_is() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{closed.getsockname()[1]}"
    names = Names([nowhere])
    assert ("127.0.0.1", socket.AF_INET) in [
        (each["host"], each["family"]) for each in await names.resolve("localhost")
    ]
    with pytest.raises(socket.gaierror):
        await names.resolve(HOST, 443)
    await names.close()


async def test_why_there_is_no_connection() -> None:
    class Unknown(Lying):
        async def resolve(self, *_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

    class Slow(Lying):
        async def resolve(self, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with sender() as sending:
            answer = await sending.send(envelope(f"http://127.0.0.1:{closed.getsockname()[1]}/"), loopback=True)
            assert answer.error_code == "connect_failed"
    for resolver, code in ((Unknown(), "name_not_found"), (Slow(), "connect_timeout")):
        async with sender(resolver=resolver, connect=0.1) as sending:
            assert (await sending.send(envelope(f"https://{HOST}/"), loopback=False)).error_code == code
            assert (await sending.send(envelope(f"https://{HOST}/"), loopback=False)).error_code == code


async def test_what_came_while_the_loop_stood_still_is_read_before_it_is_late() -> None:
    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(1 << 16)
            accepted.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        for seconds in (0.0, 0.005, 0.01):  # it stands still while the connection opens, or before the answer
            answering = asyncio.ensure_future(asyncio.to_thread(serve, listening))
            async with sender(total=0.2, connect=0.1) as sending:
                asyncio.get_running_loop().call_later(seconds, time.sleep, 0.3)
                assert (await sending.send(envelope(url), loopback=True)).status == 200
            await answering


async def test_what_came_while_the_loop_stood_still_in_its_reading_is_read_before_it_is_late() -> None:
    """Then all that was due meanwhile comes before the next reading."""
    loop, (bell, rope) = asyncio.get_running_loop(), socket.socketpair()

    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(1 << 16)
            rope.send(b"x")
            time.sleep(0.05)
            accepted.sendall(OK)

    def stand_still() -> None:
        bell.recv(1)
        time.sleep(0.3)

    with bell, rope, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        loop.add_reader(bell, stand_still)
        answering = asyncio.ensure_future(asyncio.to_thread(serve, listening))
        async with sender(total=0.2) as sending:
            answer = await sending.send(envelope(f"http://127.0.0.1:{listening.getsockname()[1]}/"), loopback=True)
        loop.remove_reader(bell)
        await answering
    assert answer.status == 200
    assert answer.milliseconds >= 300


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///x", "nonsense", "http://[::1", "http://h:99999/"])
async def test_a_url_that_cannot_be_asked_is_told(url: str) -> None:
    with pytest.raises(NoAnswer, match="url_refused"):
        target_of(url)
    async with sender() as sending:
        assert (await sending.send(envelope(url), loopback=True)).error_code == "url_refused"


def test_no_url_writes_a_line_of_its_own_into_the_request() -> None:
    for odd in ("\r\nX: y", " HTTP/1.1", "\n", "\x00", "é", "%0d%0aX: y"):
        for url in (f"http://h.example.com/{odd}", f"http://h.example.com/?{odd}", f"http://h{odd}.example.com/"):
            with contextlib.suppress(NoAnswer):
                start = target_of(url).start
                assert start.count("\r\n") == 2, url
                assert start.count("\n") == 2, url
                assert start.count(" ") == 3, url
                assert start.isascii(), url


# -- TLS, and the tunnel


async def test_a_certificate_must_be_trusted_and_of_the_name(tmp_path: Path, monkeypatch: Any) -> None:
    key, certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with receiver(OK, context) as raw:
        named = raw.url.replace("127.0.0.1", HOST)
        async with sender(resolver=Lying(["127.0.0.1"])) as sending:
            assert (await sending.send(envelope(named), loopback=True)).error_code == "tls_failed"  # not trusted
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with sender(resolver=Lying(["127.0.0.1"])) as sending:
            assert (await sending.send(envelope(raw.url), loopback=True)).error_code == "tls_failed"  # another's
            assert raw.requests == []
            for _ in range(2):
                assert (await sending.send(envelope(named), loopback=True)).status == 200


async def test_what_speaks_no_tls_is_refused() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, sender() as sending:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await sending.send(envelope(url), loopback=True)).error_code == "tls_failed"


async def test_a_receiver_that_wants_to_know_us_by_certificate_refuses_and_we_say_so(
    tmp_path: Path, monkeypatch: Any
) -> None:
    key, certificate = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with receiver(OK, context) as raw, sender(resolver=Lying(["127.0.0.1"])) as sending:
        answer = await sending.send(envelope(raw.url.replace("127.0.0.1", HOST)), loopback=True)
        assert answer.error_code in ("tls_failed", "connection_lost")
        assert raw.requests == []


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 Fine\r\n\r\nSSH-2.0-x\r\n",  # speaks before the receiver may
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 Fine\r\n",  # and hangs up
        b"HTTP/1.1 200 Fine\r\nX: " + b"x" * 20_000,
        b"HTTP/1.1 407 Who are you\r\n\r\n",
    ],
)
async def test_a_proxy_that_does_not_tunnel_is_a_failed_try(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        if len(said) < 20_000:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, sender(resolver=Lying(["8.8.8.8"]), proxy=proxy) as sending:
        assert (await sending.send(envelope(f"https://{HOST}/"), loopback=False)).error_code == "proxy_refused"


async def test_a_tunnel_is_kept_as_a_connection_is(tmp_path: Path, monkeypatch: Any) -> None:
    async with (
        behind_a_proxy(tmp_path, monkeypatch) as (proxy, came),
        sender(resolver=Lying(["8.8.8.8"], ["8.8.8.8"]), proxy=proxy.url) as sending,
    ):
        for _ in range(2):
            assert (await sending.send(envelope(f"https://{HOST}/"), loopback=False)).status == 200
    assert (len(proxy.asked), len(came)) == (1, 2)


async def test_a_proxy_that_is_away_is_no_fault_of_the_receivers() -> None:
    dialer = dialing.Dialer(Lying(), lambda _: socket.socket(), ("127.0.0.1", 9))
    with pytest.raises(ProxyUnreachable):
        await dialer.open(target_of(f"https://{HOST}/").origin, lambda _: None)
