"""The bank file that pays people: NACHA (ACH) PPD credits. Pure: records in, ASCII text out.

`write_file` checks everything first and raises `ValidationFailed` with all faults, so a file that exists is a file that
adds up. Layout: Nacha Operating Rules, appendix three (file, batch and entry records of 94 characters). Company entry
descriptions of wages begin with PAYROLL (Nacha rule in force from 20 March 2026).
"""

from backoffice.payroll.nacha.ascii import Transliteration, transliterate
from backoffice.payroll.nacha.checks import routing_number_faults
from backoffice.payroll.nacha.file import BatchTotals, NachaFile, Note, write_file
from backoffice.payroll.nacha.parts import ENTRY_LIMIT, Account, Bank, Credit, LineEnd, PayrollBatch

__all__ = [
    "ENTRY_LIMIT",
    "Account",
    "Bank",
    "BatchTotals",
    "Credit",
    "LineEnd",
    "NachaFile",
    "Note",
    "PayrollBatch",
    "Transliteration",
    "routing_number_faults",
    "transliterate",
    "write_file",
]
