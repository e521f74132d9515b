"""What a person types: one module per command, each with ``HELP``, ``configure(parser)`` and ``run(arguments)``.

Modules here import nothing heavy at the top, so that ``crosstask --help`` answers at once.
"""
