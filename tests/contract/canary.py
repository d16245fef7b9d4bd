"""Canaries, where one might stand, and everything in which they are looked for."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql
from tests.contract.maker import Maker
from tests.world import Server

from backoffice.platform import metrics
from backoffice.platform.jobs.messages import message

SSN, TYPO = "907-31-5526", "907-31-55263"  # the second is what somebody mistyped: no SSN, and yet not to be told
ACCOUNT, OFFSET, BAD_ACCOUNT = "7309155182642", "6617309155183", "73091551826421999999"
BORN = "1973-09-28"
BULK_SSN, BULK_ACCOUNT, BULK_BORN = "908-42-6637", "8420266371955", "1974-10-29"
CASE = "SUP-7715-KX-3308"  # of a withholding order
REFUSED_SSN = "666-42-6638"  # of an area that no tenant takes
PASSWORD = "hunter2-Vq9xK-not-a-real-one"


CANARIES = {
    "SSN": SSN,
    "mistyped SSN": TYPO,
    "SSN in bulk": BULK_SSN,
    "refused SSN": REFUSED_SSN,
    "account": ACCOUNT,
    "account in bulk": BULK_ACCOUNT,
    "offset account": OFFSET,
    "wrong account": BAD_ACCOUNT,
    "case number": CASE,
    "birth date": BORN,
    "birth date in bulk": BULK_BORN,
    "password": PASSWORD,
}
CHANNELS = (
    *("logs", "metrics", "problems", "answers", "events and webhooks", "audit", "jobs", "job steps", "idempotency"),
    *("deliveries", "attempts", "webhooks", "queue messages", "dump", "raw files", "stored documents", "key store"),
)


@dataclass
class Told:
    """What was said, by channel; and the canaries, by name."""

    maker: Maker
    canaries: dict[str, str] = field(default_factory=dict)
    channels: dict[str, list[bytes]] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)

    def say(self, channel: str, *parts: str | bytes) -> None:
        found = self.channels.setdefault(channel, [])
        found += [part.encode() if isinstance(part, str) else part for part in parts]


def forms(canary: str) -> list[bytes]:
    """How a canary might stand somewhere: as it is, digits alone, in base64, in hexadecimal, in UTF-16."""
    plain = {canary, canary.replace("-", "")} if canary != BORN else {canary}
    found = [form.encode() for form in plain if len(form) >= 8]
    found += [base64.b64encode(form)[:-4] for form in list(found) if len(form) > 9]
    found += [form.hex().encode() for form in list(found[: len(plain)])]
    return [*found, canary.encode("utf-16-le")]


def leaks(haystacks: list[bytes], canaries: dict[str, str]) -> list[str]:
    """Which canaries stand in what was said, and where about."""
    found = []
    for name, canary in canaries.items():
        for form in forms(canary):
            for haystack in haystacks:
                place = haystack.find(form)
                if place >= 0:
                    found.append(f"{name}: …{haystack[max(0, place - 60) : place]!r}")
                    break
    return found


def collect(told: Told, server: Server) -> None:
    tenant = told.maker.tenant.facts.id
    told.say("metrics", metrics.text())
    for answer in told.answers:
        told.say("problems" if answer.status_code >= 400 else "answers", answer.content, str(answer.headers))
    with psycopg.connect(told.maker.admin_dsn, autocommit=True) as admin:
        for channel, table in {
            "events and webhooks": "event",
            "audit": "audit_event",
            "jobs": "job",
            "job steps": "job_step",
            "idempotency": "idempotency",
            "deliveries": "webhook_delivery",
            "attempts": "webhook_attempt",
        }.items():
            rows = admin.execute(
                sql.SQL("SELECT t::text FROM {} t WHERE tenant_id = %s").format(sql.Identifier("app", table)), (tenant,)
            ).fetchall()
            told.say(channel, *(row[0] for row in rows))
        for id_, fence in admin.execute("SELECT id, fence FROM app.job WHERE tenant_id = %s", (tenant,)):
            told.say("queue messages", message([(tenant, id_, fence)], soon=False).encode())
        told.say("dump", *dump(admin))
        admin.execute("CHECKPOINT")
    told.say("raw files", *files(server.postgres.state))
    told.say("stored documents", *files(Path(server.settings.storage_url)))
    told.say("key store", *files(server.settings.state))


def dump(admin: psycopg.Connection[Any]) -> list[bytes]:
    """Every row of every table of ours, as a data dump has it."""
    found = []
    tables = admin.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname IN ('app', 'ctl', 'ref', 'seal', 'migrations', 'public')"
    ).fetchall()
    for schema, table in tables:
        out = io.BytesIO()
        with admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))) as copy:
            for data in copy:
                out.write(data)
        found.append(out.getvalue())
    return found


def files(folder: Path) -> list[bytes]:
    """Every file below a folder: for the server's, data, write-ahead log and its own log."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
