"""The metrics of the kinds of tasks; shares are in percent."""
