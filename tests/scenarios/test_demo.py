"""The demo itself, as a stranger starts it: one command in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backoffice.demo.checks import CHECKS
from backoffice.platform.postgres import throwaway_state


@pytest.mark.kills
def test_the_demo_holds_what_it_claims() -> None:
    """Also over what an earlier one has left, and whatever is set in the environment."""
    with throwaway_state() as folder:
        stale = folder / ".backoffice" / "demo" / "front_office" / "events.jsonl"
        stale.parent.mkdir(parents=True)
        for made in (folder / ".backoffice", folder / ".backoffice" / "demo"):
            made.chmod(0o711)
        stale.write_text("no JSON\n")
        env = {**os.environ, "BACKOFFICE_DATABASE_URL": "postgresql://127.0.0.1:1/none", "BACKOFFICE_PORT": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "backoffice.cli", "demo"],
            check=False,
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=180,
        )
        told = done.stdout
        assert done.returncode == 0, told[-6000:] + done.stderr[-3000:]
        assert told.count("✓") == len(CHECKS)
        assert "✗" not in told
        assert "killed (SIGKILL)" in told
        money = re.findall(r"money (?:in|out) +([0-9.]+) USD", told)
        assert len(money) == 2
        assert money[0] == money[1]
        out = folder / ".backoffice" / "demo" / "front_office"
        stubs = list((out / "pay_stubs").glob("*.pdf"))
        assert len(stubs) == 60
        assert all(stub.read_bytes().startswith(b"%PDF-") for stub in stubs)
        assert len(list(out.glob("*.ach"))) == 1
        assert oct(out.stat().st_mode & 0o777) == "0o700"  # it holds bank numbers
        pids = [int(pid) for line in re.findall(r"worker processes ([0-9, ]+)", told) for pid in line.split(", ")]
        assert len(pids) == 2
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
