"""PostgreSQL without an installation: the server from the wheel, its roles and databases.

`EmbeddedPostgres` starts, shares, adopts and stops it; `bootstrap` makes roles and databases on it or on a server
that is already there. Whatever goes wrong is a `PostgresRefused` whose text says what to do."""

from backoffice.platform.postgres.cluster import THROWAWAY
from backoffice.platform.postgres.places import StatePlace, choose_state, throwaway_state
from backoffice.platform.postgres.refusal import PostgresRefused
from backoffice.platform.postgres.roles import (
    LOGIN_ROLES,
    ExistingPostgres,
    bootstrap,
    copy_database,
    drop_database,
    role_passwords,
)
from backoffice.platform.postgres.server import EmbeddedPostgres, ServerAddress

__all__ = [
    "LOGIN_ROLES",
    "THROWAWAY",
    "EmbeddedPostgres",
    "ExistingPostgres",
    "PostgresRefused",
    "ServerAddress",
    "StatePlace",
    "bootstrap",
    "choose_state",
    "copy_database",
    "drop_database",
    "role_passwords",
    "throwaway_state",
]
