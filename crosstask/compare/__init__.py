"""A grid of runs, methods by label settings by seeds, and the tables that say what each method is worth."""
