"""Runs and comparisons as one HTML file that needs nothing else."""
