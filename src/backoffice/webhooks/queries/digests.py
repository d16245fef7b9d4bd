"""The digests of an endpoint."""

from __future__ import annotations

from backoffice.kernel import ids
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page
from backoffice.webhooks.events import WebhookDigestView
from backoffice.webhooks.models import webhook_digest
from backoffice.webhooks.queries.endpoints import find

_digest = webhook_digest.c
DIGESTS = Listing(
    webhook_digest,
    filters={"day": Filter(_digest.day, operators=("gt", "gte", "lt", "lte"))},
    sorts=("day",),
)


def digest_view(tx: Tx, row: Row) -> WebhookDigestView:
    return WebhookDigestView(
        id=ids.encode("webhook_digest", row["id"]),
        object="webhook_digest",
        livemode=tx.principal.tenant.livemode,
        created_at=row["created_at"],
        endpoint_id=ids.encode("webhook_endpoint", row["endpoint_id"]),
        day=row["day"],
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
        count=row["count"],
        hash=row["hash"],
        previous_hash=row["previous_hash"],
    )


async def digests(tx: Tx, endpoint: str, query: Query) -> Page[WebhookDigestView]:
    found = await find(tx, endpoint)
    return await page(tx, DIGESTS, query, lambda row: digest_view(tx, row), narrow=[_digest.endpoint_id == found["id"]])
