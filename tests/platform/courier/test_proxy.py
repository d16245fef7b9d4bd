"""CONNECT-proxy mode: a small proxy in the test, a receiver with TLS behind it, and what never reaches either."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook
from tests.platform.test_ssrf import Lying

from backoffice.kernel import clock
from backoffice.platform import signatures
from backoffice.platform.courier.client import dialing
from backoffice.platform.courier.client.faults import ProxyUnreachable
from backoffice.platform.courier.ports import Envelope
from backoffice.platform.courier.sender import Sender
from backoffice.platform.settings import SettingsRefused, from_environment, to_environment

HOST = "hooks.example.com"
SECRET = signatures.generate_secret()


def envelope(url: str = f"https://{HOST}/x") -> Envelope:
    return Envelope(url, "evt_1", b'{"id":"evt_1"}', (SECRET,), 16, False, 1)


@dataclass
class Proxy:
    """Connects whatever is asked for to one address, and remembers what was asked."""

    to: int
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(" ".join(head.split(" ", 2)[:2]))
        writer.write(f"HTTP/1.1 {self.status} As Told\r\n\r\n".encode())
        await writer.drain()
        if self.status == 200:
            inward, outward = await asyncio.open_connection("127.0.0.1", self.to)
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(_pump(reader, outward), _pump(inward, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def behind_a_proxy(folder: Path, monkeypatch: Any, status: int = 200) -> AsyncIterator[tuple[Proxy, list[Any]]]:
    """A proxy, and the requests that its one receiver was sent."""
    key, certificate = _certificate(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # OpenSSL's own way to trust
    came: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request.host, dict(request.headers), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    proxy = Proxy(runner.addresses[0][1], status)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy, came
    finally:
        server.close()
        await runner.cleanup()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = clock.wall()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    plain = serialization.NoEncryption()
    paths[0].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    paths[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return paths


@asynccontextmanager
async def sender(*answers: list[str], **more: Any) -> AsyncIterator[Sender]:
    """One whose names resolve to these answers, in turn."""
    made = Sender(total=3.0, connect=2.0, resolver=Lying(*answers), **more)
    try:
        yield made
    finally:
        await made.close()


async def test_a_webhook_is_tunneled_and_verifies(tmp_path: Path, monkeypatch: Any) -> None:
    async with (
        behind_a_proxy(tmp_path, monkeypatch) as (proxy, came),
        sender(["8.8.8.8"], ["8.8.8.8"], proxy=proxy.url) as tunneling,
    ):
        answer = await tunneling.send(envelope(), loopback=False)
        assert (answer.status, answer.error_code) == (200, None)
        assert (await tunneling.send(envelope(), loopback=True)).status == 200  # loopback alone goes straight
    assert set(proxy.asked) == {f"CONNECT {HOST}:443"}
    assert [host for host, _, _ in came] == [HOST, HOST]
    assert Webhook(SECRET).verify(came[0][2], came[0][1]) == {"id": "evt_1"}
    assert "proxy-authorization" not in {name.lower() for name in came[0][1]}


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::1"], ["64:ff9b::a00:1"]])
async def test_a_name_with_a_private_address_never_reaches_the_proxy(
    tmp_path: Path, monkeypatch: Any, addresses: list[str]
) -> None:
    async with (
        behind_a_proxy(tmp_path, monkeypatch) as (proxy, came),
        sender(addresses, addresses, proxy=proxy.url) as tunneling,
    ):
        for loopback in (False, True):
            answer = await tunneling.send(envelope(), loopback=loopback)
            assert (answer.status, answer.error_code) == (None, "address_refused")
    assert (proxy.asked, came) == ([], [])


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://[::1]/", "http://8.8.8.8/", "https://8.8.8.8:22/", "https://127.0.0.1:8443/"]
)
async def test_a_literal_that_may_not_be_called_never_reaches_the_proxy(
    tmp_path: Path, monkeypatch: Any, url: str
) -> None:
    async with behind_a_proxy(tmp_path, monkeypatch) as (proxy, _), sender(proxy=proxy.url) as tunneling:
        assert (await tunneling.send(envelope(url), loopback=False)).error_code == "address_refused"
    assert proxy.asked == []


async def test_a_name_that_only_the_proxy_knows_is_its_to_judge(tmp_path: Path, monkeypatch: Any) -> None:
    class Unknown(Lying):
        async def resolve(self, *_: Any, **__: Any) -> Any:
            raise OSError("no such name")

    async with behind_a_proxy(tmp_path, monkeypatch) as (proxy, came):
        tunneling = Sender(total=3.0, connect=2.0, resolver=Unknown(), proxy=proxy.url)
        assert (await tunneling.send(envelope(), loopback=False)).status == 200
        await tunneling.close()
    assert len(came) == 1


async def test_what_the_proxy_refuses_is_a_failed_try_and_a_lost_proxy_is_none(
    tmp_path: Path, monkeypatch: Any
) -> None:
    async with behind_a_proxy(tmp_path, monkeypatch, status=403) as (proxy, came):
        async with sender(["8.8.8.8"], proxy=proxy.url) as tunneling:
            assert (await tunneling.send(envelope(), loopback=False)).error_code == "proxy_refused"
        assert came == []
    async with sender(["8.8.8.8"], proxy="http://127.0.0.1:9") as tunneling:
        with pytest.raises(ProxyUnreachable):
            await tunneling.send(envelope(), loopback=False)


@pytest.mark.parametrize("lives", [False, True])
async def test_a_proxy_that_hangs_is_told_from_a_receiver_that_does(monkeypatch: Any, lives: bool) -> None:
    """Both open no tunnel in time. A proxy that lives answers when it is asked about itself."""
    monkeypatch.setattr(dialing, "_PROXY_SECONDS", 0.2)
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[0])
        if lives and asked[-1] != "CONNECT":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tunneling = Sender(total=3.0, connect=0.2, resolver=Lying(["8.8.8.8"]), proxy=url)
    try:
        if lives:
            assert (await tunneling.send(envelope(), loopback=False)).error_code == "connect_timeout"
        else:
            with pytest.raises(ProxyUnreachable):
                await tunneling.send(envelope(), loopback=False)
        assert asked == ["CONNECT", "OPTIONS"]
    finally:
        await tunneling.close()
        server.close()


async def test_no_proxy_variable_of_the_environment_is_ever_read(tmp_path: Path, monkeypatch: Any) -> None:
    async with behind_a_proxy(tmp_path, monkeypatch) as (proxy, came):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with sender(["127.0.0.1"]) as straight:
            assert (await straight.send(envelope(), loopback=False)).error_code == "address_refused"
        async with sender() as straight:
            port = proxy.to
            answer = await straight.send(envelope(f"https://127.0.0.1:{port}/"), loopback=True)
            assert answer.error_code == "tls_failed"  # straight to the receiver, whose name is another
    assert (proxy.asked, came) == ([], [])


def test_the_setting_is_an_address(server: Any) -> None:
    good = to_environment(server.settings)
    assert from_environment(good).webhook_proxy is None
    named = {**good, "BACKOFFICE_WEBHOOK_PROXY": "http://proxy.example.com:3128"}
    assert to_environment(from_environment(named))["BACKOFFICE_WEBHOOK_PROXY"] == "http://proxy.example.com:3128"
    for odd in ("proxy:3128", "https://proxy:3128", "http://proxy", "http://proxy:3128/path", "http://proxy:99999"):
        with pytest.raises(SettingsRefused, match="BACKOFFICE_WEBHOOK_PROXY must be an address"):
            from_environment({**good, "BACKOFFICE_WEBHOOK_PROXY": odd})
