"""Makes the project's environment from a lock: `python3 infra/environment.py requirements.lock`.

Standard library only, since it is the first thing that runs on a fresh machine. The environment is `.venv/` beside the
lock; packages come at the versions and with the hashes of the lock, through uv, which is itself installed from
`requirements-uv.lock`. Where uv cannot be had or cannot reach an index that pip can (a mirror in pip's settings, a
company's certificate), pip installs the same lock."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
UV_LOCK = ROOT / "requirements-uv.lock"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)

# Finds Python beside itself, so that neither a moved folder nor a long path nor a space in it matters.
COMMAND = """#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
import sys

from backoffice.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""


def main(lock: Path) -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        fail(f"This is Python {found}, and backoffice needs 3.11 or newer: run `make PYTHON=python3.11 …`.")
    make_environment()
    install(lock)
    link_project()


def make_environment() -> None:
    """`.venv/`, made by the standard library without pip (Debian's Python lacks ensurepip). One that is there stays
    unless its Python does not run (the one it was made from is gone) or is too old."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    if run([PYTHON, "-c", check], quiet=True):
        return
    say(f"making {VENV.name} with Python {sys.version.split()[0]}")
    if not run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV]):
        fail("The environment cannot be made: is the module venv there, and is this folder yours to write to?")


def install(lock: Path) -> None:
    say(f"installing {lock.name}")
    uv = find_uv()
    wanted: list[str | Path] = ["--require-hashes", "--requirement", lock]
    if uv is not None:
        into: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", PYTHON, *wanted]
        # With a warm cache no index is asked at all; a company's certificate is the system's to know, as it is for pip.
        os.environ |= {name: "true" for name in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS") if name not in os.environ}
        if run([*into, "--offline"], quiet=True) or run(into):
            return
        say("uv could not install it, trying pip")
    if not pip_install(*wanted):
        fail(
            "The packages cannot be installed: see the lines above; without a network the package cache must hold them."
        )


def find_uv() -> Path | str | None:
    """uv of this environment; when it is missing, it is installed by pip, and a copy kept in the user's cache for the
    next environment: pip finds nothing without a network, uv finds everything it has had before."""
    own = VENV / "bin" / "uv"
    if runs(own):
        return own
    kept = kept_uv()
    if runs(kept):
        shutil.copy2(kept, own)
        return own
    if pip_install("--require-hashes", "--requirement", UV_LOCK):
        with contextlib.suppress(OSError):  # a cache is a courtesy
            kept.parent.mkdir(parents=True, exist_ok=True)
            half = kept.with_name(f"{kept.name}-{os.getpid()}")
            shutil.copy2(own, half)
            half.replace(kept)
        return own
    return shutil.which("uv")


def kept_uv() -> Path:
    """Where the copy of the lock's uv is kept, by its version."""
    version = next(
        line.split()[0] for line in UV_LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("uv==")
    )
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "backoffice" / version.replace("==", "-")


def runs(program: Path) -> bool:
    return program.exists() and run([program, "--version"], quiet=True)


def pip_install(*arguments: str | Path) -> bool:
    """pip of the Python that runs this, installing into the environment."""
    quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    return run([sys.executable, "-m", "pip", "--python", PYTHON, "install", *quiet, *arguments])


def link_project() -> None:
    """The project runs from its source folder: a path file and the command, both relative. Nothing is built, so no
    build backend has to be fetched."""
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([PYTHON, "-c", find], check=True, capture_output=True, text=True)  # noqa: S603 - our own
    packages = Path(found.stdout.strip())
    (packages / "backoffice.pth").write_text(os.path.relpath(ROOT / "src", packages) + "\n", encoding="utf-8")
    command = VENV / "bin" / "backoffice"
    command.write_text(COMMAND, encoding="utf-8")
    command.chmod(0o755)


def run(command: Sequence[str | Path], *, quiet: bool = False) -> bool:
    hidden = subprocess.DEVNULL if quiet else None
    argv = [str(part) for part in command]
    try:
        done = subprocess.run(argv, check=False, stdout=hidden, stderr=hidden)  # noqa: S603 - argv is made in this file
    except OSError:
        return False
    return done.returncode == 0


def say(text: str) -> None:
    print(f"environment: {text}", flush=True)


def fail(sentence: str) -> None:
    sys.exit(f"environment: {sentence}")


if __name__ == "__main__":
    main(ROOT / sys.argv[1])
