"""Why the demo could not even be tried."""

from __future__ import annotations


class DemoRefused(Exception):
    """A sentence for the person at the terminal; exit status 2."""
