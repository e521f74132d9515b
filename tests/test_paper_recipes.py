"""The settings of the papers, two steps each on a tiny fake copy of NYU-v2 and Cityscapes, as docs/networks.md types
them: the networks, optimisers and objectives of the patches, on small images."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstask.construct import construct
from crosstask.data.adapters import ADAPTERS, convert
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from tests.data.adapters import fake_preprocessed

TINY_VIT = [
    "--network.encoder", "vit_tiny_patch16_224", "--network.encoder_options",
    "{depth: 2, embed_dim: 24, num_heads: 2, out_indices: [0, 1]}", "--network.decoder_options", "{width: 8}",
]  # fmt: skip
SLIM_SEGNET = [
    "--network.encoder_options", "{widths: [4, 6, 8, 10, 12]}", "--objectives.pairwise.stem", "4",
    "--objectives.pairwise.widths", "[4, 6, 8, 10]",
]  # fmt: skip
SETTINGS = {
    "hrnet18+region_contrast_as_published": ["--data.regions", "true"],
    "segnet+pairwise_as_published": SLIM_SEGNET,
    "task_expert": TINY_VIT,
    "task_expert+region_contrast_as_published": ["--data.regions", "true", *TINY_VIT],
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, Path]:
    """A table per data set, of a copy with region maps."""
    made = {}
    for name, write, regions in (
        ("nyuv2_npy", fake_preprocessed.write_nyuv2, "sam"),
        ("cityscapes_npy", fake_preprocessed.write_cityscapes, "sam_GRAY"),
    ):
        root = tmp_path_factory.mktemp(name)
        write(root)
        adapter = construct(ADAPTERS[name], {"regions": regions}, f"convert {name}", root=str(root))
        made[name] = convert(adapter, root / "table.csv", workers=1).table.path
    return made


@pytest.mark.parametrize("data", ["nyuv2_npy", "cityscapes_npy"])
@pytest.mark.parametrize(
    "setting", [pytest.param(name, marks=pytest.mark.slow if "hrnet" in name else []) for name in SETTINGS]
)
def test_it_trains(setting, data, tables, tmp_path):
    flags = ["--data.table", str(tables[data]), "--data.size", "[64, 64]", "--data.evaluation_size", "[64, 64]",
             "--data.workers", "0", "--data.validation_fraction", "0", "--network.pretrained", "false",
             "--training.iterations", "2", "--training.batch_size", "2", "--training.accelerator", "cpu"]  # fmt: skip
    recipe = Recipe.load(f"{data}+{setting}", [*flags, *SETTINGS[setting]])
    experiment = Experiment(recipe, tmp_path / "run", quiet=True)
    assert experiment.fit().iteration == 2
    names = set((tmp_path / "run" / "metrics.jsonl").read_text().replace('"', " ").split())
    terms = {"regions", "consistency"} & {name.rsplit("/", 1)[-1] for name in names}
    assert terms == {{"region_contrast": "regions", "pairwise": "consistency"}[objective]
                     for objective in recipe.sections["objectives"] if objective != "supervised"}  # fmt: skip
