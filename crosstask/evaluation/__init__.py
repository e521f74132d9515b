"""Measuring networks, and using them: metrics, tables, prediction, export."""
