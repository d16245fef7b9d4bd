"""Settings that work on this machine without any being given: what is not in the environment comes from the state
directory, and where no PostgreSQL is named the embedded one is started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import (
    EmbeddedPostgres,
    ExistingPostgres,
    bootstrap,
    choose_state,
    role_passwords,
)
from backoffice.platform.settings import (
    ROLES_WITH_PASSWORD,
    Settings,
    SettingsRefused,
    database_name,
    from_environment,
    read_secret,
)
from backoffice.platform.state import StateDirectory

ADMIN_URL = "BACKOFFICE_DATABASE_ADMIN_URL"
DATABASE_URL = "BACKOFFICE_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the platform lives: its settings, and what to tell whoever started it."""

    settings: Settings
    state: Path
    embedded: EmbeddedPostgres | None = None
    notices: list[str] = field(default_factory=list)


@contextmanager
def open_place(
    environ: Mapping[str, str] | None = None,
    *,
    state: Path | None = None,
    port: int | None = None,
    defaults: Mapping[str, str] | None = None,
    server_settings: Mapping[str, str] | None = None,
    prepare: bool = True,
) -> Iterator[Place]:
    """A database with roles and the newest schema, and settings for it; what was started here is stopped at the end.

    `state`: the state directory; by default BACKOFFICE_STATE, or `.backoffice/` (`choose_state`). `port`: of the
    embedded PostgreSQL, any free one by default. `defaults`: settings used where the environment has none. `prepare`
    False leaves roles and schema as they are. Raises PostgresRefused, StateRefused, SettingsRefused: sentences."""
    env = dict(os.environ if environ is None else environ)
    notices: list[str] = []
    if state is None and env.get("BACKOFFICE_STATE"):
        state = Path(env["BACKOFFICE_STATE"])
        if not state.is_dir():
            raise SettingsRefused(f"BACKOFFICE_STATE names {state}, which is no folder: make it first")
    if state is None:
        chosen = choose_state()
        state = chosen.path
        notices += [chosen.notice] if chosen.notice else []
    kept = StateDirectory(state)
    given = {
        "BACKOFFICE_STATE": str(state),
        "BACKOFFICE_STORAGE_URL": str(state / "documents"),
        **(defaults or {}),
        **env,
    }
    if not any(name in given for name in ("BACKOFFICE_PEPPER", "BACKOFFICE_PEPPER_FILE")):
        given["BACKOFFICE_PEPPER"] = kept.secret("pepper")
    if env.get(DATABASE_URL):
        if not any(_password_setting(role) in name for role in ROLES_WITH_PASSWORD for name in env):
            given |= _passwords(kept)
        settings = from_environment(given)
        if prepare:
            admin_url = read_secret(env, ADMIN_URL)
            _prepare(settings, ExistingPostgres(admin_url) if admin_url else None)
        yield Place(settings, state, None, notices)
        return
    with EmbeddedPostgres(state, port, settings=server_settings) as server:
        assert server.address is not None
        at = f"postgresql://{server.address.host}:{server.address.port}"
        given |= _passwords(kept)
        given |= {DATABASE_URL: f"{at}/backoffice", "BACKOFFICE_QUEUE_DATABASE_URL": f"{at}/backoffice_queue"}
        given["BACKOFFICE_DATABASE_SOCKET_DIR"] = str(server.address.socket_dir)
        given.setdefault("BACKOFFICE_LOOPBACK_WEBHOOKS", "1")  # one machine, made for trying things
        settings = from_environment(given)
        if prepare:
            _prepare(settings, server)
        yield Place(settings, state, server, [*notices, *server.notices])


def _password_setting(role: str) -> str:
    return f"BACKOFFICE_PASSWORD_{role.upper()}"


def _passwords(kept: StateDirectory) -> dict[str, str]:
    made = role_passwords(kept)
    return {_password_setting(role): made[role] for role in ROLES_WITH_PASSWORD}


def _prepare(settings: Settings, server: EmbeddedPostgres | ExistingPostgres | None) -> None:
    if server is not None:
        owners = {database_name(settings.database_url): "bo_owner", database_name(settings.queue_url): "bo_queue"}
        bootstrap(server, settings.passwords, owners)
    migrate(settings.dsn("bo_migrate"))
