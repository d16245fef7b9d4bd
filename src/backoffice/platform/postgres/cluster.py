"""The data directory: made once by initdb, with SCRAM for every login and the superuser through the socket alone."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backoffice.platform.postgres.account import Account
from backoffice.platform.postgres.refusal import PostgresRefused, disk_full, from_log, other_version
from backoffice.platform.postgres.wheel import Programs

SUPERUSER = "bo_super"

# Values never reach the server's log: no failing statement, no parameter, no DETAIL line with the row in it.
QUIET_LOG = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_checkpoints": "off",
}
SETTINGS: Mapping[str, str] = {
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    # A new installation grows from nothing in a moment: until a table is analysed, plans are made for a few rows.
    "autovacuum_naptime": "5s",
    # After a crash all files are made safe before the log is read: one call for them all, where there is one, in place
    # of a few thousand that took most of the time until the server was back.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "unix_socket_permissions": "0777",  # the folder around the socket is private
    **QUIET_LOG,
}

# For tests and benchmarks of logic only: what it loses in a power cut is meant to be lost. A crash of the server
# alone still loses nothing that was committed.
THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """One server's own folder, `home`, private to its account: data, socket, log and locks."""

    home: Path
    account: Account
    programs: Programs

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        """Beside the folder, not in it: it is written by us, who may be root."""
        return self.home.with_name("postgres.log")

    def prepare(self) -> None:
        """Make home and data directory where they are missing. Raises PostgresRefused for a data directory of
        another major version, a full disk, or a folder of somebody else."""
        try:
            if not self.home.exists():
                self.home.mkdir(mode=0o700)
                if self.account.demoted:
                    os.chown(self.home, self.account.uid, self.account.gid)
            found = self._version_found()
            if found is None:
                self._initialise()
            elif found != self.programs.major:
                raise other_version(self.data, found, self.programs.major)
            self._write_access_rules(self.data)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(self.home) from error
            raise PostgresRefused(
                f"{error.filename or self.home} cannot be used ({error.strerror}): it belongs to another user; start "
                f"as that user, or in another folder."
            ) from error

    def _version_found(self) -> str | None:
        if not self.data.exists():
            return None
        file = self.data / "PG_VERSION"
        found = file.read_text().strip() if file.exists() else ""
        if not found:
            raise PostgresRefused(
                f"{self.data} is there but holds no database (no PG_VERSION): move it away and start again."
            )
        return found

    def _initialise(self) -> None:
        """initdb beside the data directory, then rename: a killed initdb leaves nothing that looks like data."""
        fresh = self.home / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        descriptor, password = tempfile.mkstemp(prefix=".initdb-", dir=self.home.parent)
        try:
            # Asked for by initdb, known to nobody: this role is let in through the socket by who it is (peer).
            os.write(descriptor, secrets.token_urlsafe(48).encode())
            if self.account.demoted:
                os.fchown(descriptor, self.account.uid, self.account.gid)
            done = self.account.run(
                [
                    self.programs / "initdb",
                    *("-D", fresh, "-U", SUPERUSER, "--pwfile", password),
                    *("--auth-host=scram-sha-256", "--auth-local=peer"),
                    *("-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync"),
                ],
                timeout=120,
            )
        finally:
            os.close(descriptor)
            Path(password).unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            self.log.write_text(done.stdout)
            raise from_log(done.stdout, data=self.data, log=self.log, port=0)
        fresh.rename(self.data)

    def _write_access_rules(self, data: Path) -> None:
        rules = (
            f"local       all         {SUPERUSER}  peer map=super\n"
            "local       all         all        scram-sha-256\n"
            "local       replication bo_backup  scram-sha-256\n"
            f"host        all         {SUPERUSER}  127.0.0.1/32 reject\n"
            "host        all         all        127.0.0.1/32 scram-sha-256\n"
        )
        names = dict.fromkeys(("root", self.account.name))
        identities = "".join(f'super "{name}" {SUPERUSER}\n' for name in names)
        for name, text in (("pg_hba.conf", rules), ("pg_ident.conf", identities)):
            file = data / name
            if not file.exists() or file.read_text() != text:
                self.account.write(file, text)
