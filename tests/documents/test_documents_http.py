"""Documents over HTTP: what is listed, and a link that opens once without a key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from backoffice.documents import commands, files
from backoffice.documents.schemas import NewDocument
from backoffice.kernel import ids

if TYPE_CHECKING:
    from tests.world import Tenant, World

READER = "dana-whitfield"
SUBJECT = "pchk_" + "0" * 25 + "1"
JOB = uuid4()
STUB = NewDocument(
    key="paycheck:1:stub",
    kind="pay_stub",
    title="Pay stub of 20 November 2026",
    file_name="pay-stub-2026-11-20.pdf",
    media_type="application/pdf",
    subject=SUBJECT,
    metadata={"week": "46"},
)
FILE = NewDocument(
    key="batch:1:ach", kind="bank_file", title="ACH file", file_name="ach.txt", media_type="text/plain", subject=None
)
CONTENT = "Łódź, invented".encode()


async def stored(world: World, tenant: Tenant, document: NewDocument) -> str:
    async with world.tx(tenant) as tx:
        (id_,) = await commands.claim(tx, [document], JOB)
        cipher = await tx.cipher()
    put = await files.put(world.runtime.storage, cipher, id_, lambda: CONTENT)
    async with world.tx(tenant) as tx:
        await commands.record(tx, [put])
    return ids.encode("document", id_)


async def test_documents_are_listed_and_read(world: World) -> None:
    firm = await world.firm()
    stub, file = await stored(world, firm.test, STUB), await stored(world, firm.test, FILE)
    async with world.tx(firm.test) as tx:
        await commands.claim(tx, [msgspec.structs.replace(STUB, key="paycheck:2:stub", subject=None)], JOB)
    async with world.client(firm.test.keys[READER]) as http:
        listed = (await http.get("/v1/documents", params={"status": "available"})).json()["data"]
        assert [each["id"] for each in listed] == [file, stub]
        for query, expected in (
            ({"kind": "bank_file"}, [file]),
            ({"subject": SUBJECT}, [stub]),
            ({"subject[in]": f"{SUBJECT},wrk_{'0' * 26}"}, [stub]),
            ({"kind": "pay_stub", "status": "available"}, [stub]),
        ):
            answer = await http.get("/v1/documents", params=query)
            assert [each["id"] for each in answer.json()["data"]] == expected, query
        one = await http.get(f"/v1/documents/{stub}")
        assert one.json() == listed[1]
        assert (one.headers["etag"], one.json()["metadata"]) == ('"v2"', {"week": "46"})
        assert one.json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert "storage_key" not in one.json()
        (waiting,) = (await http.get("/v1/documents", params={"status": "storing"})).json()["data"]
        assert (waiting["size_bytes"], waiting["sha256"]) == (None, None)
        refused = await http.post(f"/v1/documents/{waiting['id']}/download_link")
        assert (refused.status_code, refused.json()["code"]) == (409, "document_not_available")


async def test_others_see_no_document_and_get_no_link(world: World) -> None:
    firm = await world.firm()
    stub = await stored(world, firm.test, STUB)
    absent = ids.encode("document", firm.test.facts.id)
    async with world.client(firm.live.keys[READER]) as http:
        assert (await http.get("/v1/documents")).json()["data"] == []
        assert (await http.get("/v1/documents", params={"subject": SUBJECT})).json()["data"] == []
        for id_ in (stub, absent, "ext:none", "doc_1"):
            assert (await http.get(f"/v1/documents/{id_}")).status_code == 404
            assert (await http.post(f"/v1/documents/{id_}/download_link")).status_code == 404
    narrow = await world.key(firm.test, READER, scopes=frozenset({"workers:read"}))
    async with world.client(narrow) as http:
        assert (await http.post(f"/v1/documents/{stub}/download_link")).status_code == 403


async def test_a_link_opens_once_without_a_key(world: World) -> None:
    firm = await world.firm()
    file = await stored(world, firm.test, FILE)
    async with world.client(firm.test.keys[READER]) as http, world.client() as anybody:
        made = await http.post(f"/v1/documents/{file}/download_link")
        assert made.status_code == 201, made.text
        assert (made.json()["object"], made.json()["document_id"]) == ("document_link", file)
        path = urlsplit(made.json()["url"]).path
        answer = await anybody.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.content == CONTENT
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["content-disposition"] == "attachment; filename=\"ach.txt\"; filename*=UTF-8''ach.txt"
        assert answer.headers["cache-control"] == "no-store"
        again = await anybody.get(path)
        made_up = await anybody.get(f"/v1/downloads/{'A' * 98}")
        for refused in (again, made_up, await anybody.get("/v1/downloads/x")):
            body = refused.json()
            assert (refused.status_code, body["code"]) == (404, "not_found")
            assert body["detail"] == again.json()["detail"]
        assert (await anybody.get("/v1/documents")).status_code == 401
        assert (await anybody.post(path)).status_code != 200
