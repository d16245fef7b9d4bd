"""Accounts: who the firms and their people are, what their keys may do, the employer of record, jobs and clocks.

Nouns: tenant, person, api_key, employer, pay_schedule, test_clock, job, bulk_job. Promises: a key is shown once and
kept as an HMAC; nobody can make a key that may do more than they may; a person is one row, however many keys they have.
Emits: api_key.created, api_key.revoked, test_clock.created, test_clock.seeded, test_clock.advance_started,
test_clock.advanced, test_clock.stopped.
"""
