"""The examples in docstrings run, and every public name of the rooms that are used alone has one.

In an example, ``torch``, ``np`` (where its module has them) and the names of its module are taken as imported.
"""

import doctest
import importlib
import inspect
import pkgutil
import warnings

import pytest

import crosstask

ROOMS = ("ops", "objectives", "tasks", "metrics", "balancing")
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(crosstask.__path__, "crosstask.")
    if not name.startswith("crosstask.commands")
]
NEEDS = {"crosstask.balancing.conflict": "torchjd"}
"""Modules whose examples need a package that is not always there."""


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_example(room):
    module = importlib.import_module(f"crosstask.{room}")
    public = [getattr(module, name) for name in module.__all__]
    without = [cls.__name__ for cls in public if not isinstance(cls, dict) and ">>>" not in (inspect.getdoc(cls) or "")]
    assert without == []


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that are only looked through
        module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failed == 0
