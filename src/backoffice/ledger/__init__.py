"""The journal: double entry, append-only, in which every money movement of every domain is posted.

Nouns: ledger_account, ledger_transaction, ledger_entry. Promises: the entries of a transaction sum to zero in each
currency and stand in the currency of their accounts, which the database itself enforces; nothing posted is changed or
removed, a correction is a reversal; what was posted under a key is posted once. Amounts are signed minor units,
debit > 0. It emits nothing: the domain that posts tells what happened.
"""
