"""The courier's engine: sends signed requests to the addresses of others, fairly, in order, and remembers the outcome.

It knows HTTP, leases, lanes and time, and nothing of endpoints or events: a domain hands it a `Post` (`ports.py`) of
functions that read and write its rows. `lane.py`, `fairness.py` and `verdict.py` are pure and decide;
`ledger.py` claims and writes, `sending.py` sends, `engine.py` puts them together.
"""
