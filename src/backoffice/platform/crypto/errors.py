"""What can go wrong with keys and ciphertexts. No message ever holds a value, a key or a ciphertext."""

from __future__ import annotations


class CannotOpen(Exception):
    """The ciphertext does not open here: damaged, moved from another row, column or tenant, or its key is gone."""


class KeyStoreFault(Exception):
    """The key store cannot be used as it is; the message says what to do."""


class KeyMissing(KeyStoreFault):
    """The key store holds no key for this tenant (a lost or foreign key file)."""


class KeyDestroyed(KeyStoreFault):
    """The tenant has been shredded: its key was destroyed on purpose and is never made again."""
