"""Settings: read once from the environment. A secret `NAME` may also come from a file named by `NAME_FILE`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


class SettingsRefused(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


# A statement of the dispatcher or the courier that was planned while its table was small would read all of a tenant's
# rows, and go on so through the flood that follows (40 ms a release instead of 2): they are planned at each use.
_ROUTING = {"plan_cache_mode": "force_custom_plan"}


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
    metrics_port: int = (
        0  # where dispatcher, courier and workers show their metrics (`platform/observed.py`); 0: nowhere
    )

    def dsn(self, role: str, **parameters: str) -> str:
        """The URL with which `role` signs in; `bo_queue` has a database of its own. `parameters` of the server hold
        for each connection."""
        if role not in self.passwords:
            raise SettingsRefused(f"no password for the database role {role}: set BACKOFFICE_PASSWORD_{role.upper()}")
        parts = urlsplit(self.queue_url if role == "bo_queue" else self.database_url)
        host = parts.netloc.rsplit("@", 1)[-1]
        if role == "bo_dispatch":
            parameters = {**_ROUTING, **parameters}
        if parameters:
            options = quote(" ".join(f"-c {name}={value}" for name, value in parameters.items()))
            parts = parts._replace(query="&".join(filter(None, (parts.query, f"options={options}"))))
        return urlunsplit(parts._replace(netloc=f"{role}:{quote(self.passwords[role], safe='')}@{host}"))


ROLES_WITH_PASSWORD = ("bo_migrate", "bo_app", "bo_dispatch", "bo_queue", "bo_export", "bo_sealer", "bo_metrics")


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of a process. SettingsRefused lists everything that is missing or wrong at once."""
    env = os.environ if environ is None else environ
    faults: list[str] = []

    def secret(name: str) -> str | None:
        if path := env.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                faults.append(f"{name}_FILE names {path}, which cannot be read: {error.strerror}")
        return env.get(name)

    def required(name: str) -> str:
        value = secret(name)
        if not value:
            faults.append(f"{name} is not set")
            return ""
        return value

    def number(name: str, default: float) -> float:
        try:
            return float(env.get(name, default))
        except ValueError:
            faults.append(f"{name} must be a number, not {env[name]!r}")
            return default

    def proxy(name: str) -> str | None:
        value = secret(name)
        try:
            parts = urlsplit(value or "http://none:1")
            good = parts.scheme == "http" and parts.hostname and parts.port and parts.path in ("", "/")
        except ValueError:
            good = False
        if not good:
            faults.append(f"{name} must be an address such as http://proxy.example.com:3128")
        return value or None

    database_url = required("BACKOFFICE_DATABASE_URL")
    passwords = {
        role: value for role in ROLES_WITH_PASSWORD if (value := secret(f"BACKOFFICE_PASSWORD_{role.upper()}"))
    }
    host, port = env.get("BACKOFFICE_HOST", Settings.host), int(number("BACKOFFICE_PORT", Settings.port))
    reached = Settings.host if host in ("0.0.0.0", "::") else host  # noqa: S104 - every address is none to be reached at
    public_url = env.get("BACKOFFICE_PUBLIC_URL", f"http://{reached}:{port}")
    settings = Settings(
        database_url=database_url,
        queue_url=env.get("BACKOFFICE_QUEUE_DATABASE_URL")
        or urlunsplit(urlsplit(database_url)._replace(path="/backoffice_queue")),
        passwords=passwords,
        broker_url=secret("BACKOFFICE_BROKER_URL"),
        state=Path(required("BACKOFFICE_STATE")),
        pepper=required("BACKOFFICE_PEPPER"),
        storage_url=required("BACKOFFICE_STORAGE_URL"),
        public_url=public_url,
        docs_url=env.get("BACKOFFICE_DOCS_URL", public_url),
        host=host,
        port=port,
        pool_size=int(number("BACKOFFICE_POOL_SIZE", Settings.pool_size)),
        lease_seconds=number("BACKOFFICE_LEASE_SECONDS", Settings.lease_seconds),
        drain_seconds=number("BACKOFFICE_DRAIN_SECONDS", Settings.drain_seconds),
        worker_threads=int(number("BACKOFFICE_WORKER_THREADS", Settings.worker_threads)),
        loopback_webhooks=env.get("BACKOFFICE_LOOPBACK_WEBHOOKS", "") == "1",
        webhook_proxy=proxy("BACKOFFICE_WEBHOOK_PROXY"),
        trace_share=number("BACKOFFICE_TRACE_SHARE", Settings.trace_share),
        key_cache_seconds=number("BACKOFFICE_KEY_CACHE_SECONDS", Settings.key_cache_seconds),
        log_level=env.get("BACKOFFICE_LOG_LEVEL", Settings.log_level),
        trusted_proxies=env.get("BACKOFFICE_TRUSTED_PROXIES", Settings.trusted_proxies),
        metrics_port=int(number("BACKOFFICE_METRICS_PORT", Settings.metrics_port)),
    )
    if faults:
        raise SettingsRefused("; ".join(faults))
    return settings


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
    }
