"""Every setting that the product reads is told in infra/README.md, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"BACKOFFICE_[A-Z_]+")
# Of the client's side of the command line (`--help` tells them), and of a supervisor to its children.
OTHERS = {"BACKOFFICE_API_KEY", "BACKOFFICE_UNIT_NUMBER"}


def names(text: str) -> set[str]:
    """Settings named in a text; a password's stand together as one, a `_FILE` with its secret."""
    found = {name.removesuffix("_FILE") for name in NAME.findall(text)}
    return {"BACKOFFICE_PASSWORD_BO_" if name.startswith("BACKOFFICE_PASSWORD_") else name for name in found}


def test_the_table_holds_what_the_source_reads() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    table = "".join(
        line.split("|")[1] for line in (ROOT / "infra" / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    )  # fmt: skip
    assert names(table) == names(source) - OTHERS
