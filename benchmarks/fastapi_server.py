"""The hot read as one would write it with FastAPI and SQLAlchemy's ORM: the same key check with the same cache, the
same transaction bound to the tenant, the same row. Without our limits, logs, metrics and traces."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from backoffice.kernel import ids
from backoffice.people.models import worker
from backoffice.platform.crypto import credential_hmac

KEEP_SECONDS = 5.0
engine = create_async_engine(
    "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(os.environ["DSN"]), pool_size=12
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
pepper = os.environ["PEPPER"].encode()
known: dict[bytes, tuple[float, UUID, frozenset[str]]] = {}
app = FastAPI(openapi_url=None)


class Base(DeclarativeBase):
    metadata = worker.metadata


class Worker(Base):
    __table__ = worker


class AddressOut(BaseModel):
    line1: str
    line2: str | None
    city: str
    state: str
    postal_code: str


class WorkerOut(BaseModel):
    id: str
    object: str
    livemode: bool
    created_at: datetime
    updated_at: datetime
    version: int
    external_id: str | None
    metadata: dict[str, str]
    number: int
    first_name: str
    middle_name: str | None
    last_name: str
    email: str | None
    phone: str | None
    address: AddressOut
    ssn_last4: str | None
    birth_date_on_file: bool
    status: str


async def tenant(authorization: Annotated[str, Header()]) -> UUID:
    """The tenant of the key, kept for five seconds; 401 and 403."""
    digest = credential_hmac(pepper, authorization.removeprefix("Bearer "))
    there = known.get(digest)
    if there is None or there[0] < monotonic():
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT * FROM ctl.open_key(:digest)"), {"digest": digest})
            row = found.mappings().first()
        if row is None:
            raise HTTPException(401)
        there = known[digest] = (monotonic() + KEEP_SECONDS, row["tenant_id"], frozenset(row["scopes"]))
    if "workers:read" not in there[2]:
        raise HTTPException(403)
    return there[1]


async def session(of: Annotated[UUID, Depends(tenant)]) -> AsyncIterator[AsyncSession]:
    """A transaction bound to the tenant."""
    async with new_session() as opened, opened.begin():
        await opened.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": str(of)})
        yield opened


@app.get("/v1/workers/{worker_id}")
async def get_worker(
    worker_id: str, of: Annotated[UUID, Depends(tenant)], db: Annotated[AsyncSession, Depends(session)]
) -> WorkerOut:
    id_ = ids.decode("worker", worker_id)
    found: Any = None if id_ is None else await db.get(Worker, (of, id_))
    if found is None:
        raise HTTPException(404)
    return WorkerOut(
        id=worker_id, object="worker", livemode=False, created_at=found.created_at, updated_at=found.updated_at,
        version=found.version, external_id=found.external_id, metadata=found.__dict__["metadata"],
        number=found.number, first_name=found.first_name, middle_name=found.middle_name, last_name=found.last_name,
        email=found.email, phone=found.phone,
        address=AddressOut(
            line1=found.address_line1, line2=found.address_line2, city=found.city, state=found.state,
            postal_code=found.postal_code,
        ),
        ssn_last4=found.ssn_last4, birth_date_on_file=found.birth_date_sealed is not None, status=found.status,
    )  # fmt: skip


@app.get("/")
async def ready() -> str:
    return "ok"


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), loop="uvloop", http="httptools",
        lifespan="off", access_log=False, log_level="warning",
    )  # fmt: skip
