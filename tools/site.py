"""What the site needs beside its theme: examples of docstrings as code (griffe), a name for the search (MkDocs)."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^(?P<indent>[ \t]*)>>> .*\n?(?:(?P=indent)\S.*\n?)*", re.M)


class Examples(griffe.Extension):
    """Puts fences around what begins with ``>>>``, up to the next blank line."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """One documented name."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def on_post_page(output: str, **_: Any) -> str:
    """The theme's search is a dialog without a name, which screen readers need."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )


def fenced(text: str) -> str:
    """The text with its examples as blocks of Python.

    >>> print(fenced("A sum.\\n\\n>>> 1 + 1\\n2\\n"))
    A sum.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    """
    return EXAMPLE.sub(lambda found: _block(found[0], found["indent"]), text)


def _block(example: str, indent: str) -> str:
    end = "" if example.endswith("\n") else "\n"
    return f"{indent}```pycon\n{example}{end}{indent}```\n"
