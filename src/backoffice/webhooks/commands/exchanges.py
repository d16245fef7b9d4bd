"""Add to failed tries what was said in them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, SmallInteger, Text, bindparam, column, func

from backoffice.platform.courier.ports import Exchange
from backoffice.platform.statements import Prepared
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx
from backoffice.webhooks.models import webhook_attempt

_attempt = webhook_attempt.c
_said = (
    func.unnest(
        bindparam("deliveries", type_=ARRAY(Id)),
        bindparam("attempts", type_=ARRAY(SmallInteger)),
        bindparam("urls", type_=ARRAY(Text)),
        bindparam("requests", type_=ARRAY(Text)),
        bindparam("responses", type_=ARRAY(Text)),
    )
    .table_valued(
        column("delivery_id", Id),
        column("attempt", SmallInteger),
        column("url", Text),
        column("request", Text),
        column("response", Text),
    )
    .render_derived(name="said")
)
# A delivery that was released again counts its tries anew: the try meant is the one without words.
_NOTE = Prepared(
    webhook_attempt.update()
    .where(
        _attempt.tenant_id == TENANT,
        _attempt.delivery_id == _said.c.delivery_id,
        _attempt.attempt == _said.c.attempt,
        _attempt.request_url.is_(None),
    )
    .values(request_url=_said.c.url, request_body=_said.c.request, response_body=_said.c.response)
)


async def note_exchanges(tx: Tx, exchanges: Sequence[Exchange]) -> None:
    """Request and answer of each, at most 4,000 bytes each."""
    await tx.execute(
        _NOTE,
        deliveries=[each.delivery for each in exchanges],
        attempts=[each.attempt for each in exchanges],
        urls=[each.url for each in exchanges],
        requests=[each.request for each in exchanges],
        responses=[each.response for each in exchanges],
    )
