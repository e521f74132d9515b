"""Annotations as other tools keep them, in and out: what each format says of an image, in one form for all.

Reading: a reader (:data:`~crosstask.data.exchange.formats.READERS`) gives a
:class:`~crosstask.data.exchange.items.Collection`, which :mod:`~crosstask.data.exchange.tabulate` makes rows of.
Writing: :func:`~crosstask.data.exchange.write.write_labels` takes a table, of labels or of predictions.
"""
