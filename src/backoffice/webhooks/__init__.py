"""Webhooks: who is told what, in which order, and what became of it.

Nouns: webhook_endpoint, webhook_delivery, webhook_attempt, webhook_digest; it also shows the tenant's events
(`/v1/events`).
Promises: every event reaches every matching endpoint's queue exactly once, numbered without a gap; one object's events
go out in order; nothing is dropped when a receiver, the courier or the database dies; secrets are sealed.
Emits: webhook_endpoint.{created,updated,paused,enabled,secret_rotated,replayed,digest,deleted,failing,disabled,
recovered}.
The engine that sends is `platform/courier`; the root `courier.py` joins the two.
"""
