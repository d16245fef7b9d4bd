"""A sealed value and the place it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of one row. A value sealed for a cell opens in no other.

    `table` and `column` are the database's names without the schema (`worker`, `ssn`); ValueError for anything that is
    no lower-case name, since the three parts are joined with `|`."""

    table: str
    column: str
    row_id: UUID

    def __post_init__(self) -> None:
        for name in (self.table, self.column):
            if not _NAME.fullmatch(name):
                raise ValueError("table and column must be lower-case names such as worker and ssn")

    def aad(self, tenant_id: UUID) -> bytes:
        """`v1|tenant|table|column|row id`: authenticated with the value, stored nowhere."""
        return f"v1|{tenant_id}|{self.table}|{self.column}|{self.row_id}".encode("ascii")


@dataclass(frozen=True, repr=False)  # no slots: Sealed[str](token) must work, and typing sets an attribute there
class Sealed(Generic[T]):
    """A ciphertext as it lies in a `bytea` column. `T` is what comes out when it is opened.

    It shows itself as `***` everywhere; the way in is `TenantCipher.open`, which asks for a purpose. `token` is the
    stored form, `0x01 ‖ key version (2) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, and reveals the length of the value."""

    token: bytes

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)
