"""Storing from job handlers: claim (a step) → put (no transaction) → record (a step), safe to kill at any instruction.

stub = await documents.store(run, "stub", NewDocument(key=…, kind="pay_stub", …), pdf)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Final
from uuid import UUID

from backoffice.documents import commands, files, queries
from backoffice.documents.files import Content
from backoffice.documents.schemas import NewDocument, Stored
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.jobs.tidying import forgets, in_parts

PUT_AT_ONCE: Final = 8
DROP_AT_ONCE: Final = 100


async def store(run: JobRun, step: str, document: NewDocument, content: Content) -> UUID:
    """Store one document; its id. As `store_many`."""
    return (await store_many(run, step, [(document, content)]))[0]


async def store_many(run: JobRun, step: str, documents: Sequence[tuple[NewDocument, Content]]) -> list[UUID]:
    """Store documents and tell `document.available` of each, once; their ids, in order.

    `step` names two steps of the run, `<step>.claim` and `<step>.record`. Content is bytes, or a function that makes
    them (run in a thread, eight at once, and not at all for a document that is there). Repeated under the same keys it
    gives the same ids and changes nothing: of two contents the one that was put first counts. Hand over at most some
    hundred at a time: all contents of a call are in memory. Raises as `commands.claim` and `files.put`."""
    told = await run.step(f"{step}.claim", commands.claim, [document for document, _ in documents], run.id)
    claimed = [UUID(text) for text in told]
    missing = await run.read(queries.still_storing, claimed)
    cipher = await run.runtime.ciphers.for_tenant(run.principal.tenant.id)
    slots = asyncio.Semaphore(PUT_AT_ONCE)

    async def put(document_id: UUID, content: Content) -> Stored:
        async with slots:
            return await files.put(run.runtime.storage, cipher, document_id, content)

    contents = {id_: content for id_, (_, content) in zip(claimed, documents, strict=True) if id_ in missing}
    answers = await asyncio.gather(*(put(*each) for each in contents.items()), return_exceptions=True)
    for answer in answers:  # only now, so that no put goes on behind a handler that has failed
        if isinstance(answer, BaseException):
            raise answer
    stored = [answer for answer in answers if isinstance(answer, Stored)]
    await run.step(f"{step}.record", commands.record, stored)
    return claimed


async def put(run: JobRun, step: str, document: NewDocument, content: bytes) -> Stored:
    """Claim a document (a step of this name) and put its content, for a handler that records it with
    `commands.record` in the transaction that makes it true. Until then nobody can see the content; a run that ends
    before leaves a document in status `storing`, which stands for nothing."""
    claimed = UUID((await run.step(step, commands.claim, [document], run.id))[0])
    cipher = await run.runtime.ciphers.for_tenant(run.principal.tenant.id)
    return await files.put(run.runtime.storage, cipher, claimed, content)


async def drop_unowned(run: JobRun) -> int:
    """Delete what lies in the tenant's storage without a document; how many. The storage is looked at first: a
    document's row is there before its content."""
    tenant = run.principal.tenant.id
    names = await run.read(queries.without_document, await run.runtime.storage.names(tenant))
    for name in names:
        await run.runtime.storage.delete(tenant, name)
    return len(names)


async def load(run: JobRun, document_id: UUID, *, purpose: str) -> bytes:
    """The clear content of a stored document. NotFound, DocumentNotAvailable, and as `files.read`."""
    row = await run.read(queries.available_row, document_id)
    cipher = await run.runtime.ciphers.for_tenant(run.principal.tenant.id)
    return await files.read(run.runtime.storage, cipher, row, purpose=purpose)


@forgets("links")
async def forget_links(run: JobRun) -> int:
    return await in_parts(run, "links", commands.forget_links)


@forgets("documents")
async def drop_abandoned(run: JobRun) -> int:
    """First the rows, so that nobody can make such a document available; a run that ends between knows from its step
    what is left to delete."""
    dropped = 0
    for part in count():
        names: list[str] = await run.step(f"documents_{part}", commands.drop_abandoned, DROP_AT_ONCE)
        for name in names:
            await run.runtime.storage.delete(run.principal.tenant.id, name)
        dropped += len(names)
        if len(names) < DROP_AT_ONCE:
            break
    return dropped
