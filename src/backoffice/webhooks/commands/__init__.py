"""Writes of webhooks, one file per verb. Those of the courier come first: it is their only caller."""

from backoffice.webhooks.commands.address import envelopes
from backoffice.webhooks.commands.claim import claim
from backoffice.webhooks.commands.create import create_endpoint
from backoffice.webhooks.commands.delete import delete_endpoint
from backoffice.webhooks.commands.digest import start_digests, write_digest
from backoffice.webhooks.commands.drop import drop_deliveries
from backoffice.webhooks.commands.examples import test_endpoint, trigger
from backoffice.webhooks.commands.exchanges import note_exchanges
from backoffice.webhooks.commands.fan_out import fan_out
from backoffice.webhooks.commands.forget import forget_events
from backoffice.webhooks.commands.health import failing, give_up, gone, recovered
from backoffice.webhooks.commands.pause import enable_endpoint, pause_endpoint
from backoffice.webhooks.commands.record import extend, record, sweep
from backoffice.webhooks.commands.release import release_stopped
from backoffice.webhooks.commands.replay import replay_batch, replay_endpoint
from backoffice.webhooks.commands.rotate_secret import rotate_secret
from backoffice.webhooks.commands.update import update_endpoint

__all__ = [
    "claim",
    "create_endpoint",
    "delete_endpoint",
    "drop_deliveries",
    "enable_endpoint",
    "envelopes",
    "extend",
    "failing",
    "fan_out",
    "forget_events",
    "give_up",
    "gone",
    "note_exchanges",
    "pause_endpoint",
    "record",
    "recovered",
    "release_stopped",
    "replay_batch",
    "replay_endpoint",
    "rotate_secret",
    "start_digests",
    "sweep",
    "test_endpoint",
    "trigger",
    "update_endpoint",
    "write_digest",
]
