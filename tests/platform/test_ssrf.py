"""The guard of outgoing connections: only public addresses, whatever the URL, the name or the resolver says."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from backoffice.platform import ssrf

CLOSED = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",  # a cloud's metadata in the carrier range
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",  # public inside, but no honest resolver says it this way
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2606:4700::5efe:7f00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
    "2606:4700::1111%eth0",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
    "127.1",
    "0177.0.0.1",
    "2130706433",
    "0x7f000001",
    "1.2.3.4.5",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::64",
]


@pytest.mark.parametrize("address", CLOSED)
def test_closed(address: str) -> None:
    assert not ssrf.is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_open(address: str) -> None:
    assert ssrf.is_public(address)


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_not_global_is_closed_4(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert not ssrf.is_public(address)


@given(st.ip_addresses(v=6))
def test_what_the_standard_library_calls_not_global_is_closed_6(address: ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.ipv4_mapped or address.teredo or address.sixtofour:
        assert not ssrf.is_public(address)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_gets_through_inside_an_ipv6_address(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    for outer in (number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert not ssrf.is_public(ipaddress.IPv6Address(outer))


def codes(url: str, *, allow_loopback: bool = False) -> list[str]:
    return [fault.code for fault in ssrf.check_url(url, allow_loopback=allow_loopback)]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/backoffice?tenant=1&x=%20",
        "https://hooks.example.com:443/",
        "https://hooks.example.com:8443/a",
        "https://HOOKS.Example.COM",
        "https://xn--bcher-kva.example/hook",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://a_b.example.com/hook",
        "https://hooks.example.com/" + "a" * 2022,
    ],
)
def test_good_urls(url: str) -> None:
    assert codes(url) == []
    assert codes(url, allow_loopback=True) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hooks.example.com/", ["url_scheme"]),
        ("ftp://hooks.example.com/", ["url_scheme"]),
        ("https://hooks.example.com:80/", ["url_port"]),
        ("https://hooks.example.com:22/", ["url_port"]),
        ("https://hooks.example.com:0/", ["url_port"]),
        ("https://hooks.example.com:99999/", ["url_malformed"]),
        ("https://hooks.example.com/" + "a" * 2023, ["url_too_long"]),
        ("https://ana:secret@hooks.example.com/", ["url_has_credentials"]),
        ("https://ana@hooks.example.com/", ["url_has_credentials"]),
        ("https://@hooks.example.com/", ["url_has_credentials"]),
        ("https://hooks.example.com?@", []),
        ("https://hooks.example.com/#top", ["url_has_fragment"]),
        ("https://hooks.example.com\\@127.0.0.1/", ["url_malformed"]),
        ("https://hooks.example.com/\r\nHost: x", ["url_malformed"]),
        ("https://hooks.example.com/a b", ["url_malformed"]),
        ("https://höoks.example.com/", ["url_malformed"]),
        ("https:///hook", ["url_malformed"]),
        ("https:hook", ["url_malformed"]),
        ("hooks.example.com", ["url_malformed"]),
        ("", ["url_malformed"]),
        ("https://[::1", ["url_malformed"]),
        ("https://hooks/", ["url_host"]),
        ("https://hooks.example.com./", ["url_host"]),
        ("https://-a.example.com/", ["url_host"]),
        ("https://a..example.com/", ["url_host"]),
        ("https://127.1/", ["url_host"]),
        ("https://2130706433/", ["url_host"]),
        ("https://0x7f000001/", ["url_host"]),
        ("https://0x7f.0x0.0x0.0x1/", ["url_host"]),
        ("https://0177.0.0.01/", ["url_host"]),
        ("https://127.0.0.1/", ["url_not_public"]),
        ("https://169.254.169.254/latest/meta-data", ["url_not_public"]),
        ("https://[::1]/", ["url_not_public"]),
        ("https://[::ffff:8.8.8.8]/", ["url_not_public"]),
        ("https://[fe80::1%25eth0]/", ["url_not_public"]),
        ("https://localhost/", ["url_not_public"]),
        ("https://api.localhost/", ["url_not_public"]),
        ("https://db.internal/", ["url_not_public"]),
        ("https://printer.local/", ["url_not_public"]),
        ("http://ana:x@10.0.0.1/#y", ["url_has_credentials", "url_has_fragment", "url_scheme", "url_not_public"]),
    ],
)
def test_bad_urls_get_all_their_faults(url: str, expected: list[str]) -> None:
    assert codes(url) == expected


def test_faults_point_at_the_field_and_say_what_to_do() -> None:
    (fault,) = ssrf.check_url("http://hooks.example.com/", pointer="#/endpoint/url")
    assert fault.body() == {"pointer": "#/endpoint/url", "code": "url_scheme", "detail": "use https"}


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/x", "http://localhost:8080/", "http://[::1]:1/", "https://127.9.9.9:5/", "http://localhost"],
)
def test_loopback_is_for_those_who_may(url: str) -> None:
    assert codes(url, allow_loopback=True) == []
    assert codes(url) != []


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://hooks.example.com/", "http://localhost.example.com:81/"],
)
def test_the_loopback_permission_opens_nothing_else(url: str) -> None:
    assert codes(url, allow_loopback=True) != []


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://[", "https://a.example.com:"]))
def test_no_text_breaks_the_check(text: str, start: str) -> None:
    for fault in ssrf.check_url(start + text):
        assert fault.code.startswith("url_")


def info(host: str, port: int, scope: int = 0) -> tuple[Any, ...]:
    if ":" in host:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, scope)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)


def test_the_factory_makes_sockets_for_public_addresses_only() -> None:
    make = ssrf.socket_factory()
    for host, port in (("8.8.8.8", 443), ("8.8.8.8", 8443), ("1.1.1.1", 443)):
        make(info(host, port)).close()
    for refused in (
        info("127.0.0.1", 443),
        info("::1", 443),
        info("::ffff:8.8.8.8", 443),
        info("2606:4700::1111", 443, scope=2),
        info("8.8.8.8", 80),
        (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/x", 0)),
    ):
        with pytest.raises(ssrf.AddressRefused, match="refused to connect"):
            make(refused)


def test_the_factory_opens_loopback_only_where_told() -> None:
    make = ssrf.socket_factory(allow_loopback=True)
    make(info("127.0.0.1", 12345)).close()
    with pytest.raises(ssrf.AddressRefused):
        make(info("10.0.0.1", 443))
    with pytest.raises(ssrf.AddressRefused):
        make(info("::ffff:127.0.0.1", 443))


class Lying(AbstractResolver):
    """A resolver under an attacker's hand: gives the answers in order."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        return None


def test_aiohttp_never_reaches_a_recording_listener_through_the_guard() -> None:
    """Literal, name, mixed answer and rebinding; the same server is reached once loopback is allowed."""

    async def scenario() -> None:
        calls: list[str] = []

        async def record(request: web.Request) -> web.Response:
            calls.append(request.path)
            return web.Response(text="reached")

        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", record)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        async def get(url: str, *, allow_loopback: bool, resolver: AbstractResolver | None = None) -> str:
            connector = aiohttp.TCPConnector(
                socket_factory=ssrf.socket_factory(allow_loopback=allow_loopback, ports={443, port}),
                resolver=resolver,
                use_dns_cache=False,
            )
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                return await response.text()

        try:
            rebinding = Lying(["127.0.0.1", "10.0.0.1"], ["127.0.0.1"])
            for url, resolver in (
                (f"http://127.0.0.1:{port}/literal", None),
                (f"http://localhost:{port}/localhost", None),
                (f"http://hooks.example.com:{port}/mixed", rebinding),
                (f"http://hooks.example.com:{port}/rebound", rebinding),
            ):
                with pytest.raises(aiohttp.ClientConnectorError):
                    await get(url, allow_loopback=False, resolver=resolver)
            assert calls == []
            assert await get(f"http://127.0.0.1:{port}/allowed", allow_loopback=True) == "reached"
            assert calls == ["/allowed"]
        finally:
            await runner.cleanup()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("addresses", "goes"),
    [
        (["8.8.8.8"], True),
        (["8.8.8.8", "1.1.1.1"], True),
        (["8.8.8.8", "10.0.0.1"], False),
        (["169.254.169.254", "8.8.8.8"], False),
        (["8.8.8.8", "::ffff:8.8.8.8"], False),
        (["127.0.0.1"], False),
    ],
)
def test_one_private_address_refuses_the_whole_name(addresses: list[str], goes: bool) -> None:
    resolver = ssrf.GuardedResolver(Lying(addresses, addresses))

    async def scenario() -> None:
        if goes:
            assert [each["host"] for each in await resolver.resolve("a.example.com", 443)] == addresses
            await ssrf.check_target("https://a.example.com/", resolver)
            return
        with pytest.raises(ssrf.AddressRefused, match="among its addresses"):
            await resolver.resolve("a.example.com", 443)
        with pytest.raises(ssrf.AddressRefused):
            await ssrf.check_target("https://a.example.com/", resolver)

    asyncio.run(scenario())


def test_loopback_among_public_addresses_is_for_those_who_may() -> None:
    resolver = ssrf.GuardedResolver(Lying(["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]), allow_loopback=True)

    async def scenario() -> None:
        assert len(await resolver.resolve("a.example.com")) == 1
        with pytest.raises(ssrf.AddressRefused):
            await resolver.resolve("a.example.com")

    asyncio.run(scenario())
