"""Work behind the queue: a job is a row, recorded in the transaction that caused it."""
