"""Documents: files that were stored for good, sealed per tenant, read through links that open once.

Nouns: document, document_link. Promises: a document is stored once under its caller's key, whatever dies meanwhile; its
bytes never lie anywhere unencrypted, and open as this document of this tenant or not at all; a link opens once, within
five minutes, and every opening is audited. It emits document.available.
"""
