"""Pages from templates: what is put in is escaped, and what is missing is an error."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crosstask import __version__


def render(template: str, **content: Any) -> str:
    """A template of ``report/templates``, filled in; it also knows the ``version``."""
    return _environment().get_template(template).render(version=__version__, **content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("crosstask.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["trusted"] = Markup
    return environment
