"""What is measured, beside what one would use instead: `make bench`, or `python -m benchmarks [name …] [--write]`.

Every benchmark brings what it needs: a PostgreSQL of its own in a temporary folder, firms made up from `tenants/`,
and the product's real processes on free ports of loopback. It ends what it started and leaves nothing behind."""
