"""The courier's tests stand on the bench of the webhooks'."""

from tests.webhooks.conftest import bench, dispatch, settings

__all__ = ["bench", "dispatch", "settings"]
