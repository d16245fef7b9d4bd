"""The state directory's small private files: secrets made once at random, and key files.

Everything here is for development and single machines; in production secrets come from the environment or from files
that the operator mounts."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECRETS = "secrets.json"


class StateRefused(Exception):
    """The state directory cannot be used as it is; `str()` of it says what to do."""


class StateDirectory:
    """`path` exists. Files in it are ours alone (mode 0600) and are written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def secret(self, name: str) -> str:
        """The secret of this name: 256 random bits (43 characters, URL-safe), made on first use and kept in
        `secrets.json`. Two processes that ask at once get the same. Raises StateRefused."""
        kept = self._read_secrets()
        if name in kept:
            return kept[name]
        with self._lock():
            kept = self._read_secrets()
            if name not in kept:
                kept[name] = secrets.token_urlsafe(32)
                self._write(self.path / SECRETS, json.dumps(kept, indent=1, sort_keys=True).encode() + b"\n")
            return kept[name]

    def private_file(self, name: str, make: Callable[[], bytes]) -> Path:
        """The path of a private file, for example the development key-encryption keys; `make` gives its first
        content, once. Raises StateRefused."""
        file = self.path / name
        if not file.exists():
            with self._lock():
                if not file.exists():
                    self._write(file, make())
        self._must_be_private(file)
        return file

    def replace_file(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Rewrite a private file under the directory's lock: `change` gets the present content and gives the new."""
        file = self.path / name
        with self._lock():
            self._must_be_private(file)
            self._write(file, change(file.read_bytes()))

    def _read_secrets(self) -> dict[str, str]:
        file = self.path / SECRETS
        try:
            self._must_be_private(file)
            found = json.loads(file.read_bytes())
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise StateRefused(f"{file} belongs to another user: run as that user, or start elsewhere.") from error
        except ValueError as error:
            raise StateRefused(f"{file} is not readable as JSON: restore it from a copy, or delete it.") from error
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise StateRefused(f"{file} does not hold an object of strings: restore it from a copy, or delete it.")
        return found

    def _must_be_private(self, file: Path) -> None:
        if file.stat().st_mode & 0o077:
            raise StateRefused(f"{file} can be read by others: run `chmod 600 {file}`, and consider its secrets known.")

    def _write(self, file: Path, content: bytes) -> None:
        descriptor, half = tempfile.mkstemp(prefix=f".{file.name}-", dir=self.path)  # mode 0600 from the start
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            Path(half).replace(file)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateRefused(
                f"{self.path} cannot be written to ({error.strerror}): start in a folder of yours."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # let go by the system when this process dies
            yield
        finally:
            os.close(descriptor)
