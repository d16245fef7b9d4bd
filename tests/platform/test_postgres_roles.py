"""Roles, databases and who may connect to what, on the embedded server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import (
    LOGIN_ROLES,
    THROWAWAY,
    EmbeddedPostgres,
    ExistingPostgres,
    PostgresRefused,
    bootstrap,
    copy_database,
    drop_database,
    role_passwords,
    throwaway_state,
)
from backoffice.platform.state import StateDirectory


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with throwaway_state() as path, EmbeddedPostgres(path, settings=THROWAWAY) as running:
        bootstrap(running, role_passwords(StateDirectory(path)))
        yield running


def value_of(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


def url(server: EmbeddedPostgres, role: str, database: str) -> str:
    assert server.address is not None
    return server.address.url(role, role_passwords(StateDirectory(server.state))[role], database)


def test_bootstrap_can_be_repeated(server: EmbeddedPostgres) -> None:
    facts = (
        "SELECT string_agg(r.rolname || ':' || r.rolconfig::text || ':' || m.n, ' ' ORDER BY r.rolname) "
        "FROM pg_roles r, LATERAL (SELECT count(*) AS n FROM pg_auth_members WHERE member = r.oid) m "
        "WHERE r.rolname LIKE 'bo_%'"
    )
    grants = "SELECT string_agg(datname || datacl::text, ' ' ORDER BY datname) FROM pg_database"
    defaults = "SELECT string_agg(d::text, ' ' ORDER BY d.oid) FROM pg_default_acl d"
    queries = (facts, grants, defaults)
    before = [value_of(server.admin_dsn("backoffice"), query) for query in queries]
    bootstrap(server, role_passwords(StateDirectory(server.state)))
    assert [value_of(server.admin_dsn("backoffice"), query) for query in queries] == before
    assert None not in before


def test_a_password_can_be_changed_and_others_stay(server: EmbeddedPostgres) -> None:
    assert server.address is not None
    passwords = role_passwords(StateDirectory(server.state))
    bootstrap(server, {"bo_export": "a new one, with 'quotes'"})
    assert value_of(server.address.url("bo_export", "a new one, with 'quotes'", "backoffice"), "SELECT 1") == 1
    assert value_of(url(server, "bo_app", "backoffice"), "SELECT 1") == 1
    bootstrap(server, passwords)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.address.url("bo_export", "a new one, with 'quotes'", "backoffice"))


def test_passwords_of_unknown_roles_are_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(ValueError, match="bo_root"):
        bootstrap(server, {"bo_root": "x"})


def test_passwords_are_kept_as_scram_and_not_logged(server: EmbeddedPostgres) -> None:
    passwords = role_passwords(StateDirectory(server.state))
    with psycopg.connect(server.admin_dsn()) as admin:
        kept: dict[str, str | None] = dict(
            admin.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'bo_%'").fetchall()
        )
    assert all((kept[role] or "").startswith("SCRAM-SHA-256$") for role in LOGIN_ROLES)
    assert all(kept[role] is None for role in ("bo_owner", "bo_auth", "bo_search", "bo_seal", "bo_reset"))
    log = (server.state / "postgres.log").read_text()
    assert not any(password in log for password in passwords.values())
    assert "SCRAM-SHA-256$" not in log


def test_attributes(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.admin_dsn()) as admin:
        roles = admin.execute(
            "SELECT rolname, rolcanlogin, rolreplication, rolinherit, "
            "rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname LIKE 'bo\\_%'"
        ).fetchall()
    found = {name: tuple(rest) for name, *rest in roles if name != "bo_super"}
    nologin = ("bo_owner", "bo_auth", "bo_search", "bo_seal", "bo_reset")
    assert set(found) == {*LOGIN_ROLES, *nologin}
    assert {name for name, facts in found.items() if facts[0]} == set(LOGIN_ROLES)
    assert {name for name, facts in found.items() if facts[1]} == {"bo_backup"}
    assert {name for name, facts in found.items() if facts[2]} == {"bo_metrics"}
    assert not any(facts[3] for facts in found.values())


def test_memberships(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.admin_dsn()) as admin:
        found = admin.execute(
            "SELECT member::regrole::text, roleid::regrole::text, inherit_option, set_option, admin_option "
            "FROM pg_auth_members WHERE member::regrole::text LIKE 'bo\\_%'"
        ).fetchall()
    assert set(found) == {
        ("bo_owner", "bo_auth", False, True, False),
        ("bo_owner", "bo_search", False, True, False),
        ("bo_owner", "bo_seal", False, True, False),
        ("bo_owner", "bo_reset", False, True, False),
        ("bo_migrate", "bo_owner", False, True, False),
        ("bo_metrics", "pg_monitor", True, False, False),
    }


def test_a_migration_session_is_the_owner(server: EmbeddedPostgres) -> None:
    with psycopg.connect(url(server, "bo_migrate", "backoffice")) as connection:
        row = connection.execute(
            "SELECT current_user::text, current_setting('row_security'), current_setting('lock_timeout')"
        ).fetchone()
    assert row == ("bo_owner", "off", "3s")


def test_timeouts_of_the_application(server: EmbeddedPostgres) -> None:
    with psycopg.connect(url(server, "bo_app", "backoffice")) as connection:
        row = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), "
            "current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert row == ("5s", "2s", "10s")


@pytest.mark.parametrize("role", [role for role in LOGIN_ROLES if role != "bo_backup"])
def test_who_may_connect_where(server: EmbeddedPostgres, role: str) -> None:
    home = "backoffice_queue" if role == "bo_queue" else "backoffice"
    for database in ("backoffice", "backoffice_queue", "postgres", "template1"):
        if database == home:
            assert value_of(url(server, role, database), "SELECT current_database()") == database
            continue
        with pytest.raises(psycopg.OperationalError, match="User does not have CONNECT privilege"):
            psycopg.connect(url(server, role, database))


def test_the_superuser_has_no_network_login(server: EmbeddedPostgres) -> None:
    assert server.address is not None
    with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
        admin.execute("ALTER ROLE bo_super PASSWORD 'known'")  # the right password changes nothing
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        psycopg.connect(server.address.url("bo_super", "known", "postgres"))


def test_a_wrong_password_is_no_login_on_either_way_in(server: EmbeddedPostgres) -> None:
    assert server.address is not None
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.address.url("bo_app", "wrong", "backoffice"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=str(server.address.socket_dir), port=server.address.port, user="bo_app", password="wrong")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM pg_stat_activity",
        "SELECT pg_stat_get_activity(NULL)",
        "SELECT pg_stat_get_backend_activity(1)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid())",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SET ROLE bo_owner",
    ],
)
@pytest.mark.parametrize(
    ("role", "home"), [("bo_app", "backoffice"), ("bo_dispatch", "backoffice"), ("bo_queue", "backoffice_queue")]
)
def test_what_the_application_may_not(server: EmbeddedPostgres, role: str, home: str, statement: str) -> None:
    with (
        psycopg.connect(url(server, role, home)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["bo_app", "bo_dispatch", "bo_export", "bo_sealer", "bo_metrics"])
@pytest.mark.parametrize("statement", ["CREATE TABLE public.mine (n int)", "CREATE SCHEMA mine"])
def test_the_application_makes_nothing_that_stays(server: EmbeddedPostgres, role: str, statement: str) -> None:
    with (
        psycopg.connect(url(server, role, "backoffice")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_what_the_application_and_the_monitor_may(server: EmbeddedPostgres) -> None:
    with psycopg.connect(url(server, "bo_app", "backoffice")) as connection:
        connection.execute("CREATE TEMP TABLE bulk (n int)")
    assert value_of(url(server, "bo_metrics", "backoffice"), "SELECT count(*) FROM pg_stat_activity") != 0


def test_new_functions_are_nobody_elses(server: EmbeddedPostgres) -> None:
    with psycopg.connect(url(server, "bo_migrate", "backoffice")) as migration:
        migration.execute("CREATE SCHEMA tried")
        migration.execute("CREATE FUNCTION tried.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        row = migration.execute(
            "SELECT has_function_privilege('bo_app', 'tried.f()', 'EXECUTE'), "
            "has_schema_privilege('bo_app', 'tried', 'USAGE')"
        ).fetchone()
        migration.execute("GRANT CREATE, USAGE ON SCHEMA tried TO bo_auth")
        migration.execute("ALTER FUNCTION tried.f() OWNER TO bo_auth")
        migration.rollback()
    assert row == (False, False)


def test_a_copy_of_a_database_has_the_same_doors(server: EmbeddedPostgres) -> None:
    copy_database(server, "backoffice", "backoffice_copy")
    try:
        assert value_of(url(server, "bo_app", "backoffice_copy"), "SELECT current_database()") == "backoffice_copy"
        with pytest.raises(psycopg.OperationalError, match="CONNECT privilege"):
            psycopg.connect(url(server, "bo_queue", "backoffice_copy"))
    finally:
        drop_database(server, "backoffice_copy")


def test_an_existing_server_is_set_up_by_its_administrators_url(server: EmbeddedPostgres) -> None:
    passwords = role_passwords(StateDirectory(server.state))
    bootstrap(ExistingPostgres(server.admin_dsn("backoffice")), passwords)
    assert value_of(url(server, "bo_app", "backoffice"), "SELECT 1") == 1


def test_an_administrator_who_may_not_is_told(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
        admin.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        admin.execute("GRANT CONNECT ON DATABASE postgres TO weak")
    assert server.address is not None
    weak = ExistingPostgres(server.address.url("weak", "weak", "postgres"))
    with pytest.raises(PostgresRefused, match=r"use a superuser's URL in BACKOFFICE_DATABASE_ADMIN_URL"):
        bootstrap(weak, {})


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(PostgresRefused, match="cannot be reached as its administrator"):
        bootstrap(ExistingPostgres("postgresql://bo_super@127.0.0.1:1/postgres"), {})


def test_an_administrators_url_that_is_none_is_told_without_its_secret() -> None:
    with pytest.raises(PostgresRefused, match="BACKOFFICE_DATABASE_ADMIN_URL cannot be read") as refusal:
        bootstrap(ExistingPostgres("postgres:hunter2@127.0.0.1"), {})
    assert "hunter2" not in str(refusal.value)


def test_databases_may_have_names_of_their_own(server: EmbeddedPostgres) -> None:
    try:
        bootstrap(server, {}, {"Pay & bill": "bo_owner", "Pay & bill queue": "bo_queue"})
        assert value_of(url(server, "bo_app", "Pay & bill"), "SELECT current_database()") == "Pay & bill"
        with pytest.raises(psycopg.OperationalError, match="CONNECT privilege"):
            psycopg.connect(url(server, "bo_queue", "Pay & bill"))
    finally:
        for name in ("Pay & bill", "Pay & bill queue"):
            drop_database(server, name)


def test_a_server_that_is_too_old_is_told(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoffice.platform.postgres.roles.OLDEST", 990000)
    told = r"The server is PostgreSQL 18; backoffice needs 99 or newer: upgrade it"
    with pytest.raises(PostgresRefused, match=told):
        bootstrap(server, {})
    with pytest.raises(PostgresRefused, match=told):
        migrate(url(server, "bo_migrate", "backoffice"))
