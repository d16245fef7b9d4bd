"""Every domain's tables, imported for their declaration: what a migration drafts and the rule tests compare."""

from __future__ import annotations

import importlib
import pkgutil

import backoffice


def load() -> None:
    """Import each `models` module below the package."""
    for found in pkgutil.walk_packages(backoffice.__path__, "backoffice."):
        if found.name.rsplit(".", 1)[-1] == "models" and found.name != __name__:
            importlib.import_module(found.name)
