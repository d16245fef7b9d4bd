"""People: workers, their employments, tax elections, bank accounts, deductions, withholding orders and opening
year-to-date.

Nouns: worker, employment, tax_election, bank_account, deduction, withholding_order, opening_balance. Promises: a Social
Security number, an account number, an order's case number and a birth date go in and are shown to nobody but by
`reveal`, which is audited; a tax election is never changed, only followed by a later one; what a tenant takes as a
Social Security number is a fact of the tenant; deductions and orders are judged by the rules of the calculation.
Emits: worker.created, worker.updated, employment.created, employment.updated, employment.ended, tax_election.created,
bank_account.created, bank_account.closed, deduction.created, deduction.updated, withholding_order.created,
withholding_order.updated, opening_balance.set.
"""
