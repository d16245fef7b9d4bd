"""Roles and databases, from `infra/postgres/roles.sql`: on the embedded server at every start, on an existing
PostgreSQL by an administrator's URL. Schemas and tables are Alembic's, as `bo_migrate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import conninfo, sql

from backoffice.platform.postgres.refusal import PostgresRefused
from backoffice.platform.state import StateDirectory

DATABASE = "backoffice"
QUEUE_DATABASE = "backoffice_queue"
OWNERS = {DATABASE: "bo_owner", QUEUE_DATABASE: "bo_queue"}
LOGIN_ROLES = ("bo_migrate", "bo_app", "bo_dispatch", "bo_queue", "bo_export", "bo_sealer", "bo_backup", "bo_metrics")
OLDEST = 180000  # uuidv7()
ONE_AT_A_TIME = 0x626F_726F_6C65  # advisory lock key: two bootstraps at once would trip over each other's GRANTs


class Administered(Protocol):
    """A server on which we are the administrator."""

    def admin_dsn(self, database: str = ...) -> str:
        """A connection string for psycopg."""


@dataclass(frozen=True, slots=True)
class ExistingPostgres:
    """A PostgreSQL that is there already; `admin_url` is a superuser's (`BACKOFFICE_DATABASE_ADMIN_URL`)."""

    admin_url: str

    def admin_dsn(self, database: str = "postgres") -> str:
        try:
            return conninfo.make_conninfo(self.admin_url, dbname=database)
        except psycopg.ProgrammingError:  # whose text quotes the URL, and with it the password
            raise PostgresRefused(
                "BACKOFFICE_DATABASE_ADMIN_URL cannot be read: write postgresql://user:password@host:port/postgres."
            ) from None


def role_passwords(state: StateDirectory) -> dict[str, str]:
    """A password for each login role, made once and kept in the state directory."""
    return {role: state.secret(f"postgres/{role}") for role in LOGIN_ROLES}


def bootstrap(server: Administered, passwords: Mapping[str, str], owners: Mapping[str, str] = OWNERS) -> None:
    """Make all roles, the databases of `owners` (name → owning role), and who may connect to what; set the roles'
    passwords (a role without one in `passwords` keeps what it has). Can be repeated at any time, also by two
    processes at once. Raises PostgresRefused."""
    if unknown := sorted(set(passwords) - set(LOGIN_ROLES)):
        raise ValueError(f"no such login roles: {', '.join(unknown)}")
    try:
        with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
            must_be_new_enough(admin.info.server_version)
            admin.execute("SELECT pg_advisory_lock(%s)", (ONE_AT_A_TIME,))
            _run_roles(admin)
            for role, password in passwords.items():
                _set_password(admin, role, password)
            for name, owner in owners.items():
                _create_database(admin, name, owner)
            for name in owners:
                with psycopg.connect(server.admin_dsn(name), autocommit=True) as inside:
                    _run_roles(inside)
    except psycopg.errors.InsufficientPrivilege as error:
        raise PostgresRefused(
            f"The administrator's login may not make roles and databases ({_first_line(error)}): use a superuser's "
            f"URL in BACKOFFICE_DATABASE_ADMIN_URL, or let your administrator run infra/postgres/roles.sql as its "
            f"head says."
        ) from error
    except psycopg.OperationalError as error:
        raise PostgresRefused(
            f"PostgreSQL cannot be reached as its administrator ({_first_line(error)}): check that it runs and that "
            f"BACKOFFICE_DATABASE_ADMIN_URL is right."
        ) from error


def copy_database(server: Administered, source: str, name: str, owner: str = "bo_owner") -> None:
    """A copy of a database to which nobody is connected, with the same rules on who may connect (CREATE DATABASE
    copies no grants of the database itself). For tests: a migrated template, copied per process."""
    with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(source), sql.Identifier(owner)
            )
        )
    with psycopg.connect(server.admin_dsn(name), autocommit=True) as inside:
        _run_roles(inside)


def drop_database(server: Administered, name: str) -> None:
    """Drop a database, with whoever is connected; nothing happens where there is none."""
    with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def roles_sql() -> str:
    """The text of `roles.sql`: from the source tree, or from the package where that was built into a wheel."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "infra" / "postgres" / "roles.sql"
    in_tree = package.parents[1] / "infra" / "postgres" / "roles.sql"
    return (packaged if packaged.exists() else in_tree).read_text(encoding="utf-8")


def must_be_new_enough(version: int) -> None:
    """PostgresRefused for a server older than the oldest that we know to work; `version` as 180006."""
    if version < OLDEST:
        raise PostgresRefused(
            f"The server is PostgreSQL {version // 10000}; backoffice needs {OLDEST // 10000} or newer: upgrade it, or "
            f"unset BACKOFFICE_DATABASE_URL to use the embedded one."
        )


def _run_roles(connection: psycopg.Connection) -> None:
    """The whole file in one transaction."""
    with connection.transaction():
        connection.execute(roles_sql().encode())


def _set_password(admin: psycopg.Connection, role: str, password: str) -> None:
    """Sent as a SCRAM verifier: the password itself never travels and cannot stand in a log."""
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    admin.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier.decode("ascii")))
    )


def _create_database(admin: psycopg.Connection, name: str, owner: str) -> None:
    if admin.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        admin.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' "
                "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8'"
            ).format(sql.Identifier(name), sql.Identifier(owner))
        )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
