"""Fixtures of the tests of the edge."""

from tests.contract.fixtures import admin_dsn, app, maker, strangers

__all__ = ["admin_dsn", "app", "maker", "strangers"]
