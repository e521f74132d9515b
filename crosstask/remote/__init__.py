"""Cells that are URLs: fetched where they are read, into a cache of bounded size.

A URL stands for a path in the cache from which the URL can be read off again, so that whoever holds paths (tables,
workers, nodes of a cluster) needs nothing else. :func:`present` is the one door: it brings the file there.
"""

from crosstask.remote.fetch import present
from crosstask.remote.urls import is_url, path_of, shown, url_of

__all__ = ["is_url", "path_of", "present", "shown", "url_of"]
