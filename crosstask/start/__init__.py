"""A first recipe, written from what a table holds."""
