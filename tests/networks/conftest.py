"""Tasks of every shape of head, for all tests of networks."""

import pytest

from crosstask.tasks import KINDS, Task


@pytest.fixture
def tasks() -> dict[str, Task]:
    """Dense and image-level tasks; the names are ones that ``nn.ModuleDict`` would refuse."""
    return {
        "type": KINDS["category"]("type", classes=4),
        "semantic": KINDS["segmentation"]("semantic", classes=5),
        "empty": KINDS["depth"]("empty"),
        "a.b": KINDS["normals"]("a.b"),
    }
