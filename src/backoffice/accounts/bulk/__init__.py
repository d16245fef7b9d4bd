"""Bulk jobs: a whole file of rows behind the queue. Good rows go in, bad rows come back with their reasons.

Nouns: bulk_job, bulk_row. Promises: a row's `external_id` makes it idempotent; a dry run stores nothing but its report;
the file and the cells of its bad rows lie sealed, for seven days at most, and come back to the person who sent them.
"""
