"""Fixtures of the contract's tests."""

from tests.contract.fixtures import admin_dsn, app, ground, maker, strangers

__all__ = ["admin_dsn", "app", "ground", "maker", "strangers"]
