import importlib
import subprocess
import sys

import pytest

import crosstask

HEAVY = ("torch", "numpy", "PIL", "yaml", "lightning_fabric", "matplotlib", "jsonargparse")


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, crosstask; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


@pytest.mark.parametrize("name", crosstask.__all__)
def test_what_is_promised_is_there(name):
    assert getattr(crosstask, name) is not None
    assert name in dir(crosstask)


@pytest.mark.parametrize("room", ["balancing", "networks", "objectives", "ops", "tasks", "metrics"])
def test_what_a_room_promises_is_there_and_described(room):
    module = importlib.import_module(f"crosstask.{room}")
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name))
    for name in module.__all__:
        found = getattr(module, name)
        assert isinstance(found, dict) or (found.__doc__ or "").strip(), f"{room}.{name} has no docstring"


def test_the_registries_are_exported():
    for room, registry in {"balancing": "BALANCERS", "objectives": "OBJECTIVES", "tasks": "KINDS"}.items():
        module = importlib.import_module(f"crosstask.{room}")
        assert {cls.__name__ for cls in getattr(module, registry).values()} <= set(module.__all__)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"'lod'.*load"):
        _ = crosstask.lod
