"""Encryption of what must not be read in a stolen database: values, files, look-ups and credentials.

A key-encryption key (KEK) per tenant lies in a key store outside the database. It wraps the tenant's data-encryption
keys (DEK), whose wrapped form lies in `app.data_key`. Version 0 of a tenant is no DEK but the root of its blind
indexes, wrapped the same way, so that a new DEK leaves every look-up valid. Whoever destroys the KEK has shredded the
tenant, backups of the database included.
"""

from backoffice.platform.crypto.ciphers import Ciphers, DataKeyRow
from backoffice.platform.crypto.credentials import Peppers, credential_hmac
from backoffice.platform.crypto.errors import CannotOpen, KeyDestroyed, KeyMissing, KeyStoreFault
from backoffice.platform.crypto.keystore import FileKeyStore, KeyStore
from backoffice.platform.crypto.tenant import MAX_FILE_BYTES, TenantCipher
from backoffice.platform.crypto.values import Cell, Sealed

__all__ = [
    "MAX_FILE_BYTES",
    "CannotOpen",
    "Cell",
    "Ciphers",
    "DataKeyRow",
    "FileKeyStore",
    "KeyDestroyed",
    "KeyMissing",
    "KeyStore",
    "KeyStoreFault",
    "Peppers",
    "Sealed",
    "TenantCipher",
    "credential_hmac",
]
