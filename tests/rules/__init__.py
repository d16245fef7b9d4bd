"""House rules: what holds for every table, statement and module, asked of the database and of the source."""
