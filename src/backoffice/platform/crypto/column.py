"""The column type of sealed values: `bytea` in the database, `Sealed[str]` in Python, never a clear text in between."""

from __future__ import annotations

from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.types import TypeDecorator

from backoffice.platform.crypto.values import Sealed


class SealedText(TypeDecorator[Sealed[str]]):
    """`ssn: Mapped[Sealed[str] | None] = mapped_column(SealedText)`.

    Takes and gives `Sealed[str]` only: a plain text is a TypeError, so that nobody stores one by mistake. Sealing and
    opening stay with `TenantCipher`, which knows the row."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> bytes | None:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError("this column takes sealed values; seal the text with the tenant's cipher first")
        return value.token

    def process_result_value(self, value: Any, dialect: Any) -> Sealed[str] | None:
        return None if value is None else Sealed(bytes(value))
