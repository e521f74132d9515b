"""A look at a table before any training."""
