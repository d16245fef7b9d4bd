"""Payroll: approved hours become paychecks, a bank file, tax liabilities and ledger postings.

Nouns: payroll_run, paycheck. Promises: every cent of a paycheck can be asked for its derivation; a run is made by one
person and approved by another; what is paid is posted and cannot change. Emits payroll_run.*.
"""
