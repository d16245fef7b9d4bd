"""How the resources of the API are called on the command line. The one table that is written by hand; verbs, options
and bodies follow from the handlers' declarations. A test holds it against every path of the API."""

from __future__ import annotations

from collections.abc import Mapping

Words = tuple[str, ...]

COLLECTIONS: Mapping[str, Words] = {
    # the collection in the path: the words before the verb
    "tenant": ("tenant",),
    "people": ("people",),
    "api_keys": ("api-keys",),
    "test/clocks": ("test", "clocks"),
    "test/fixtures": ("test", "fixtures"),
    "test/simulations": ("test", "simulations"),
    "test/resets": ("test", "resets"),
    "test/webhooks": ("test", "webhooks"),
    "jobs": ("jobs",),
    "schedules": ("schedules",),
    "bulk_jobs": ("bulk-jobs",),
    "workers": ("workers",),
    "employments": ("workers", "employments"),
    "tax_elections": ("workers", "tax-elections"),
    "bank_accounts": ("workers", "bank-accounts"),
    "opening_balances": ("workers", "opening-balances"),
    "deductions": ("workers", "deductions"),
    "withholding_orders": ("workers", "withholding-orders"),
    "clients": ("clients",),
    "assignments": ("assignments",),
    "timesheets": ("timesheets",),
    "payroll_runs": ("payroll", "runs"),
    "paychecks": ("payroll", "paychecks"),
    "payments": ("payroll", "payments"),
    "documents": ("documents",),
    "downloads": ("documents", "downloads"),
    "ledger_accounts": ("ledger", "accounts"),
    "ledger_transactions": ("ledger", "transactions"),
    "ledger_entries": ("ledger", "entries"),
    "trial_balance": ("ledger", "trial-balance"),
    "events": ("events",),
    "webhook_endpoints": ("webhooks", "endpoints"),
    "webhook_deliveries": ("webhooks", "deliveries"),
}
MEANS: Mapping[str, str] = {
    "tenant": "The tenant of the key.",
    "people": "Who signs in or holds keys.",
    "api-keys": "API keys, through the API.",
    "test": "A test tenant's clock, made-up companies, what its bank does, examples of events, and emptying it.",
    "jobs": "Work behind the queue.",
    "schedules": "Work that recurs.",
    "bulk-jobs": "Whole files of rows.",
    "workers": "Workers, employments, certificates, bank accounts, deductions, orders on wages.",
    "clients": "Whom the workers work for.",
    "assignments": "Who works where, at which rates.",
    "timesheets": "Hours.",
    "payroll": "Gross to net, the pay runs, and their payments.",
    "documents": "Stored files.",
    "ledger": "Accounts, transactions, balances.",
    "events": "What happened.",
    "webhooks": "Endpoints and deliveries.",
}
OWN: Mapping[Words, str] = {
    # commands that are written by hand, beside those made from the API
    ("payroll", "calculate"): "backoffice.payroll.cli:calculate",
    ("payroll", "explain"): "backoffice.payroll.cli:explain",
    ("payroll", "gross-up"): "backoffice.payroll.cli:gross_up",
    ("payroll", "tables"): "backoffice.payroll.cli:tables",
    ("jobs", "watch"): "backoffice.terminal.jobs:watch",
    ("jobs", "drain"): "backoffice.terminal.jobs:drain",
}


def groups() -> dict[str, str]:
    """The first words, with what they are about."""
    return {words[0]: MEANS[words[0]] for words in (*COLLECTIONS.values(), *OWN)}


def below(prefix: Words) -> list[str]:
    """The next words after `prefix` that lead to a collection or to a command of a domain."""
    deeper = [words for words in (*COLLECTIONS.values(), *OWN) if words[: len(prefix)] == prefix]
    return sorted({words[len(prefix)] for words in deeper if len(words) > len(prefix)})
