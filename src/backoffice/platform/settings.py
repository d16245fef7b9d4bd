"""Settings: read once from the environment. A secret `NAME` may also come from a file named by `NAME_FILE`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit


class SettingsRefused(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


# What was planned while a table was small would go on so through the flood that follows: planned at each use.
_ROUTING = {"plan_cache_mode": "force_custom_plan"}
INDEX_WALKS: Final[Mapping[str, str]] = {
    "plan_cache_mode": "force_generic_plan",
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit"), "off"),
}
"""For the connections of the dispatcher, the courier and the heartbeat: each of their statements walks an index in its
order to the first few rows, or goes from key to key, by the same plan for an empty table and for one that 100,000 rows
came into a moment ago, and is planned once. A planner that goes by the statistics of before reads and sorts a tenant's
whole backlog for each release, or hashes the whole table for every batch, until it is analysed."""


@dataclass(frozen=True)
class Settings:
    database_url: str  # postgresql://host:port/backoffice, without user: each role signs in with its own password
    queue_url: str  # the embedded transport's own database
    passwords: Mapping[str, str]  # login role → password
    broker_url: str | None  # amqp://… or None for the embedded transport
    state: Path  # the development key store and secrets
    pepper: str  # "1:secret" or "2:new secret,1:old secret": the versions that open keys, the highest makes new ones
    storage_url: str  # a folder or s3://bucket/prefix
    public_url: str = "http://127.0.0.1:8000"
    docs_url: str = public_url  # where the pages lie that problems name; the API has them itself
    host: str = "127.0.0.1"
    port: int = 8000
    pool_size: int = 12
    lease_seconds: float = 10.0
    drain_seconds: float = 30.0
    worker_threads: int = 4
    loopback_webhooks: bool = False  # test tenants may name loopback receivers (development, demo, benchmarks)
    webhook_proxy: str | None = None  # http://host:port: webhooks leave through it, by CONNECT
    trace_share: float = 0.01
    key_cache_seconds: float = 5.0
    log_level: str = "info"
    trusted_proxies: str = ""  # addresses, with commas, whose X-Forwarded-For says where a request came from
    metrics_port: int = 0  # of the first of dispatcher, courier and workers (`platform/observed.py`); 0: nowhere
    socket_dir: str = ""  # where the embedded PostgreSQL has its socket: a third cheaper a round trip than TCP

    def dsn(self, role: str, **parameters: str) -> str:
        """The URL with which `role` signs in; `bo_queue` has a database of its own. `parameters` of the server hold
        for each connection; `pg_stat_activity` shows which process it is of."""
        if role not in self.passwords:
            raise SettingsRefused(f"no password for the database role {role}: set BACKOFFICE_PASSWORD_{role.upper()}")
        parts = urlsplit(self.queue_url if role == "bo_queue" else self.database_url)
        host = parts.netloc.rsplit("@", 1)[-1]
        said = [parts.query] if parts.query else []
        said.append(f"application_name=backoffice:{os.getpid()}")
        if self.socket_dir:
            said.append(f"host={quote(self.socket_dir, safe='')}&port={parts.port or 5432}")
            host = ""
        if role == "bo_dispatch":
            parameters = {**_ROUTING, **parameters}
        if parameters:
            options = quote(" ".join(f"-c {name}={value}" for name, value in parameters.items()))
            said.append(f"options={options}")
        who = f"{role}:{quote(self.passwords[role], safe='')}"
        return urlunsplit(parts._replace(netloc=f"{who}@{host}", query="&".join(said)))


LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
PORTS = (1, 65_535)
ROLES_WITH_PASSWORD = ("bo_migrate", "bo_app", "bo_dispatch", "bo_queue", "bo_export", "bo_sealer", "bo_metrics")


def read_number(environ: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    """A number from the environment. SettingsRefused where it is none, or out of bounds."""
    text = environ.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if not least <= number <= most or (isinstance(default, int) and number != int(number)):
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise SettingsRefused(f"{name} must be {kind} from {least:g} to {most:g}, not {text!r}")
    return number


def read_port(environ: Mapping[str, str], name: str, default: int) -> int:
    """A port from the environment. SettingsRefused where it is none."""
    return int(read_number(environ, name, default, *PORTS))


def read_secret(environ: Mapping[str, str], name: str) -> str | None:
    """A secret from the environment, or from the file that `name`_FILE names. SettingsRefused where that cannot be
    read."""
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsRefused(f"{name}_FILE names {path}, which cannot be read: {why}") from None


class _Reader:
    """Reads one setting after the other, and keeps what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._env = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._env.get(name) or default

    def secret(self, name: str) -> str:
        try:
            return read_secret(self._env, name) or ""
        except SettingsRefused as refused:
            self.faults.append(str(refused))
            return ""

    def required(self, name: str) -> str:
        known = len(self.faults)
        value = self.secret(name)
        if not value and len(self.faults) == known:
            self.faults.append(f"{name} is not set")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        try:
            return read_number(self._env, name, default, least, most)
        except SettingsRefused as refused:
            self.faults.append(str(refused))
            return default

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        return int(self.number(name, default, least, most))

    def one_of(self, name: str, default: str, words: Sequence[str]) -> str:
        value = self.text(name, default)
        if value not in words:
            self.faults.append(f"{name} must be one of {', '.join(words)}, not {value!r}")
        return value

    def database(self, name: str, url: str) -> str:
        parts = _parts(url)
        if url and (parts is None or parts.scheme != "postgresql" or not parts.path.strip("/")):
            self.faults.append(f"{name} must read postgresql://host:port/database")
        elif parts is not None and "@" in parts.netloc:
            self.faults.append(
                f"{name} names a user, but each role signs in for itself: leave user and password out, and make the "
                f"roles with `backoffice db setup` and a superuser's URL in BACKOFFICE_DATABASE_ADMIN_URL"
            )
        return url

    def broker(self, name: str) -> str | None:
        url = self.secret(name)
        parts = _parts(url)
        if url and (parts is None or parts.scheme not in ("amqp", "amqps") or not parts.hostname):
            self.faults.append(f"{name} must read amqp://user:password@host:port/")
        return url or None

    def proxy(self, name: str) -> str | None:
        url = self.secret(name)
        parts = _parts(url)
        plain = parts is not None and parts.scheme == "http" and parts.hostname and parts.port
        if url and not (plain and parts is not None and parts.path in ("", "/")):
            self.faults.append(f"{name} must be an address such as http://proxy.example.com:3128")
        return url or None

    def storage(self, name: str) -> str:
        url = self.required(name)
        if "://" in url and not url.startswith(("s3://", "file:///")):
            self.faults.append(f"{name} must be a folder or read s3://bucket/prefix")
        return url


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of a process. SettingsRefused lists everything that is missing or wrong at once."""
    read = _Reader(os.environ if environ is None else environ)
    database_url = read.database("BACKOFFICE_DATABASE_URL", read.required("BACKOFFICE_DATABASE_URL"))
    queue_url = read.database("BACKOFFICE_QUEUE_DATABASE_URL", read.text("BACKOFFICE_QUEUE_DATABASE_URL"))
    if not queue_url and not read.faults:
        queue_url = urlunsplit(urlsplit(database_url)._replace(path="/backoffice_queue"))
    if not read.faults and database_name(queue_url) == database_name(database_url):
        read.faults.append("BACKOFFICE_QUEUE_DATABASE_URL must name another database than BACKOFFICE_DATABASE_URL")
    passwords = {role: read.secret(f"BACKOFFICE_PASSWORD_{role.upper()}") for role in ROLES_WITH_PASSWORD}
    host, port = read.text("BACKOFFICE_HOST", Settings.host), read.whole("BACKOFFICE_PORT", Settings.port, *PORTS)
    reached = Settings.host if host in ("0.0.0.0", "::") else host  # noqa: S104 - every address is none to be reached at
    public_url = read.text("BACKOFFICE_PUBLIC_URL", f"http://{reached}:{port}")
    settings = Settings(
        database_url=database_url,
        queue_url=queue_url,
        passwords={role: password for role, password in passwords.items() if password},
        broker_url=read.broker("BACKOFFICE_BROKER_URL"),
        state=Path(read.required("BACKOFFICE_STATE")),
        pepper=read.required("BACKOFFICE_PEPPER"),
        storage_url=read.storage("BACKOFFICE_STORAGE_URL"),
        public_url=public_url,
        docs_url=read.text("BACKOFFICE_DOCS_URL", public_url),
        host=host,
        port=port,
        pool_size=read.whole("BACKOFFICE_POOL_SIZE", Settings.pool_size, 1, 1_000),
        lease_seconds=read.number("BACKOFFICE_LEASE_SECONDS", Settings.lease_seconds, 0.1, 3_600),
        drain_seconds=read.number("BACKOFFICE_DRAIN_SECONDS", Settings.drain_seconds, 0, 3_600),
        worker_threads=read.whole("BACKOFFICE_WORKER_THREADS", Settings.worker_threads, 1, 1_000),
        loopback_webhooks=read.one_of("BACKOFFICE_LOOPBACK_WEBHOOKS", "0", ("0", "1")) == "1",
        webhook_proxy=read.proxy("BACKOFFICE_WEBHOOK_PROXY"),
        trace_share=read.number("BACKOFFICE_TRACE_SHARE", Settings.trace_share, 0, 1),
        key_cache_seconds=read.number("BACKOFFICE_KEY_CACHE_SECONDS", Settings.key_cache_seconds, 0, 5),
        log_level=read.one_of("BACKOFFICE_LOG_LEVEL", Settings.log_level, LOG_LEVELS),
        trusted_proxies=read.text("BACKOFFICE_TRUSTED_PROXIES", Settings.trusted_proxies),
        metrics_port=read.whole("BACKOFFICE_METRICS_PORT", Settings.metrics_port, 0, PORTS[1]),
        socket_dir=read.text("BACKOFFICE_DATABASE_SOCKET_DIR"),
    )
    if read.faults:
        raise SettingsRefused("; ".join(read.faults))
    return settings


def database_name(url: str) -> str:
    """The database that a URL names."""
    return unquote(urlsplit(url).path.removeprefix("/"))


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL; None where it is none, or its port is no port."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def to_environment(settings: Settings) -> dict[str, str]:
    """The same settings as variables for a child process (demo, `make up`, tests)."""
    return {
        "BACKOFFICE_DATABASE_URL": settings.database_url,
        "BACKOFFICE_QUEUE_DATABASE_URL": settings.queue_url,
        **{f"BACKOFFICE_PASSWORD_{role.upper()}": value for role, value in settings.passwords.items()},
        **({"BACKOFFICE_BROKER_URL": settings.broker_url} if settings.broker_url else {}),
        "BACKOFFICE_STATE": str(settings.state),
        "BACKOFFICE_PEPPER": settings.pepper,
        "BACKOFFICE_STORAGE_URL": settings.storage_url,
        "BACKOFFICE_PUBLIC_URL": settings.public_url,
        "BACKOFFICE_DOCS_URL": settings.docs_url,
        "BACKOFFICE_HOST": settings.host,
        "BACKOFFICE_PORT": str(settings.port),
        "BACKOFFICE_POOL_SIZE": str(settings.pool_size),
        "BACKOFFICE_LEASE_SECONDS": str(settings.lease_seconds),
        "BACKOFFICE_DRAIN_SECONDS": str(settings.drain_seconds),
        "BACKOFFICE_WORKER_THREADS": str(settings.worker_threads),
        "BACKOFFICE_LOOPBACK_WEBHOOKS": "1" if settings.loopback_webhooks else "0",
        **({"BACKOFFICE_WEBHOOK_PROXY": settings.webhook_proxy} if settings.webhook_proxy else {}),
        "BACKOFFICE_TRACE_SHARE": str(settings.trace_share),
        "BACKOFFICE_KEY_CACHE_SECONDS": str(settings.key_cache_seconds),
        "BACKOFFICE_LOG_LEVEL": settings.log_level,
        "BACKOFFICE_TRUSTED_PROXIES": settings.trusted_proxies,
        "BACKOFFICE_METRICS_PORT": str(settings.metrics_port),
        **({"BACKOFFICE_DATABASE_SOCKET_DIR": settings.socket_dir} if settings.socket_dir else {}),
    }
