"""Ready-made situations, built through the product's own commands."""
