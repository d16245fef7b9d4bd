"""Refusals of the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from backoffice.kernel.errors import Fault, Problem, StateConflict


class PostingRefused(Problem):
    """Postings that are no double entry; `errors` lists every fault, with pointers such as `#/3/lines/1/account`."""

    status = 422
    code = "posting_refused"
    title = "The postings are not valid double entries"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}; nothing was posted.", errors=faults)


class PostingKeyReused(Problem):
    """Something else was posted under the key."""

    status = 409
    code = "posting_key_reused"
    title = "Another transaction was posted under this key"


class AccountDiffers(Problem):
    """An account of this code exists and is of another kind, currency or meaning. Accounts are never changed."""

    status = 409
    code = "ledger_account_differs"
    title = "An account of this code exists and is another one"


class AlreadyReversed(StateConflict):
    """A transaction is reversed at most once; reverse the reversal to bring it back."""

    code = "already_reversed"
    title = "The transaction is reversed already"
