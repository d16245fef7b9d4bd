"""The demo's own platform: a data folder that is cleared at the start, free ports, the product's processes under the
supervisor, two firms with keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backoffice.accounts import commands, provision, queries
from backoffice.accounts.tenant_file import TenantFile
from backoffice.demo.refusal import DemoRefused
from backoffice.local.place import open_place
from backoffice.local.processes import PROCESSES, free_port, freeing, units
from backoffice.platform.api_client import ApiClient, Unreachable
from backoffice.platform.db import Database
from backoffice.platform.postgres import EmbeddedPostgres, PostgresRefused, choose_state
from backoffice.platform.postgres.places import open_folder
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import Settings
from backoffice.platform.supervisor import Supervisor

WORKERS = 2
TENANT = "test"
READY_SECONDS = 60.0


@dataclass(slots=True)
class Stage:
    """What stands: `url` of the API, `state` with data and logs, the supervisor; `notices` to be printed."""

    settings: Settings
    url: str
    state: Path
    supervisor: Supervisor
    keys: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # firm → person → keys
    notices: list[str] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def wait_until_ready(self) -> None:
        """DemoRefused when the API does not answer in time."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(Unreachable), ApiClient(self.url, None, timeout=5) as client:
                if client.request("GET", "/readyz").ok:
                    return
            if not any(self.supervisor.pids(name) for name in PROCESSES):
                raise DemoRefused(f"A process refused to run. {self._last_words()}")
            time.sleep(0.05)
        raise DemoRefused(f"The API did not answer within {READY_SECONDS:.0f} s. {self._last_words()}")

    def _last_words(self) -> str:
        said = (self.logs / "api-0.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"The API's last words: {said[-1] if said else '(none)'}. All logs: {self.logs}."


@contextmanager
def stage(working: Path | None = None) -> Iterator[Stage]:
    """Everything up; all of it is stopped at the end, the data stays until the next demo. Raises DemoRefused and what
    starting PostgreSQL raises, each a sentence."""
    place = choose_state(working)
    with _alone(place.path):
        state = place.path / "demo"
        _clear(state)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = {
            "BACKOFFICE_STATE": str(state),
            "BACKOFFICE_STORAGE_URL": str(state / "documents"),
            "BACKOFFICE_HOST": "127.0.0.1",
            "BACKOFFICE_PORT": str(port),
            "BACKOFFICE_PUBLIC_URL": url,
            "BACKOFFICE_LEASE_SECONDS": "2",
            "BACKOFFICE_DRAIN_SECONDS": "5",
            "BACKOFFICE_LOOPBACK_WEBHOOKS": "1",
            "BACKOFFICE_TRACE_SHARE": "0",
        }
        for name in [name for name in os.environ if name.startswith("BACKOFFICE_")]:
            del os.environ[name]  # the children's, too: this platform is the demo's own
        with open_place(environment, state=state) as opened:
            settings = opened.settings
            (state / "logs").mkdir(mode=0o700)
            children = units(settings, workers=WORKERS, logs=state / "logs")
            supervisor = Supervisor(children, freeing(settings), grace=6)
            with supervisor:
                notices = [*([place.notice] if place.notice else []), *opened.notices]
                yield Stage(settings, url, state, supervisor, notices=notices)


async def provide(settings: Settings, file: TenantFile, people: Sequence[str]) -> dict[str, list[str]]:
    """Apply a firm, and make keys for people (one for each time a name stands there) in its test tenant."""
    control = Database(settings.dsn("bo_migrate"), size=2)
    keys: dict[str, list[str]] = {}
    async with open_runtime(settings) as runtime:
        await control.open()
        try:
            await provision.apply_firm(control, runtime, file)
            tenant = (await provision.tenants_of(control, file.firm.slug))[TENANT]
            for person in people:
                async with runtime.tx(Principal.system(tenant, "demo")) as tx:
                    person_id = await queries.person_named(tx, person)
                    assert person_id is not None, person
                    made = await commands.issue_key(tx, person_id, runtime.peppers, name="demo")
                keys.setdefault(person, []).append(str(made.secret))
        finally:
            await control.close()
    return keys


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One demo at a time in a folder: the next one would clear the data under the first."""
    lock = os.open(state / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRefused(f"Another demo is running in {state}: wait for it, or start in another folder.") from None
        yield
    finally:
        os.close(lock)


def _clear(state: Path) -> None:
    """Delete what the last demo left, its server included when it was killed."""
    if (state / "postgres" / "data" / "postmaster.pid").exists():
        with contextlib.suppress(PostgresRefused):
            left = EmbeddedPostgres(state)
            left.start()
            left.stop(immediate=True)
    try:
        if state.exists():
            shutil.rmtree(state)
        open_folder(state)
    except OSError as error:
        raise DemoRefused(
            f"{state}, what the last demo left, cannot be cleared ({error.strerror}: {error.filename}): it may belong "
            f"to another user. Delete it, or start in another folder."
        ) from None
