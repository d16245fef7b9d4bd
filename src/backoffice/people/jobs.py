"""What people do behind the queue: the bulk operation `workers.upsert`."""

from __future__ import annotations

from backoffice.people import commands, csv_files
from backoffice.platform import bulk

bulk.register(
    bulk.Operation(
        name="workers.upsert",
        scope="workers:write",
        parse=csv_files.parse_workers,
        apply=commands.upsert_workers,
        sensitive=("ssn", "birth_date", "bank_account_number"),
    )
)
