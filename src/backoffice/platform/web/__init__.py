"""The edge of the product: one transaction a request, problems, limits, lists, idempotent answers."""
