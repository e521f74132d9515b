"""What a run is between two steps: never lost, never taken for another, read the same after an interruption."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from crosstask.cli import main
from crosstask.data.table.table import read_table
from crosstask.errors import NotFinite, RecipeError, RunError, UserError
from crosstask.experiment import Experiment
from crosstask.objectives import OBJECTIVES
from crosstask.objectives.supervised import Supervised
from crosstask.recipe import Recipe
from crosstask.tasks.term import Term
from crosstask.training.checkpoint import load_state, load_weights
from crosstask.training.plan import Plan
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny

TIMING = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory"}


class Faulty(Supervised):
    """Supervision during which something happens at one iteration."""

    at, happens = -1, "inf"

    def forward(self, step):
        terms = super().forward(step)
        if step.iteration != self.at:
            return terms
        if self.happens in ("stop", "requeue"):
            os.kill(os.getpid(), signal.SIGTERM if self.happens == "stop" else signal.SIGUSR1)
            return terms
        terms = {name: Term(total * 1.0, count) for name, (total, count) in terms.items()}
        for total, _ in terms.values():
            total.register_hook(lambda gradient: gradient * float("inf"))
        return terms


@pytest.fixture
def faulty(monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "faulty", Faulty)
    return lambda **changes: [monkeypatch.setattr(Faulty, name, value) for name, value in changes.items()]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    return write_recipe(folder, write_tiny(folder))


def begin(recipe: Path, run: Path, *overrides: str, resume: str = "no") -> Experiment:
    return Experiment(Recipe.load(recipe, overrides), run, quiet=True, resume=resume)


def records(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMING} for line in lines]


# -- finite --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ema", ["null", "0.5"])
def test_weights_that_are_not_finite_never_replace_good_ones(recipe, tmp_path, faulty, ema):
    faulty(at=3, happens="inf")
    options = ["--objectives", "faulty", "--training.checkpoint_every", "2", "--training.ema", ema]
    with pytest.raises(RunError, match=r"is not finite after iteration 4, so nothing was saved; the checkpoint of "
                       r"iteration 2 is intact: go on with --resume .*run --training\.lr 0\.0001"):  # fmt: skip
        begin(recipe, tmp_path / "run", *options).fit()
    run = Run(tmp_path / "run")
    assert run.checkpoints.names()[-1] == "000002"
    assert all(
        tensor.isfinite().all() for tensor in load_weights(run.checkpoints.find() / "network.safetensors").values()
    )
    faulty(at=-1)
    again = Experiment.resume(run.path, quiet=True, overrides=["--training.lr", "0.0001"])  # the remedy is taken
    assert again.fit().iteration == 4
    assert Recipe.load(run.recipe_path).training.lr == 1e-4


@pytest.mark.parametrize("value", [".inf", ".nan"])
def test_rates_that_are_no_numbers_are_refused(recipe, value):
    with pytest.raises(RecipeError, match=r"training\.lr"):
        _ = Recipe.load(recipe, ["--training.lr", value]).training


# -- what a person reads -------------------------------------------------------------------------------------------


def test_everything_a_person_reads_is_the_same_after_an_interruption(recipe, tmp_path, faulty):
    pytest.importorskip("tensorboard", reason="needs the extra track")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ["--objectives", "faulty,mean_teacher", "--data.hidden", "true", "--training.iterations", "8",
               "--training.log_every", "5", "--training.evaluate_every", "4",
               "--loggers", "tensorboard"]  # fmt: skip
    faulty(at=-1)
    begin(recipe, tmp_path / "whole", *options).fit()
    faulty(at=2, happens="stop")
    assert begin(recipe, tmp_path / "cut", *options).fit().status == "interrupted"
    faulty(at=-1)
    Experiment.resume(tmp_path / "cut", quiet=True).fit()
    assert records(tmp_path / "cut") == records(tmp_path / "whole")
    boards = [EventAccumulator(str(tmp_path / name / "tensorboard")).Reload() for name in ("cut", "whole")]
    tags = boards[1].Tags()["scalars"]
    assert boards[0].Tags()["scalars"] == tags
    for tag in (tag for tag in tags if not TIMING & set(tag.split("/"))):
        assert [(e.step, e.value) for e in boards[0].Scalars(tag)] == [
            (e.step, e.value) for e in boards[1].Scalars(tag)
        ]


def test_a_checkpoint_of_before_there_were_means_in_it_is_taken_up(recipe, tmp_path):
    begin(recipe, tmp_path / "run").fit()
    file = Run(tmp_path / "run").checkpoints.find() / "state.pt"
    state = load_state(file)
    torch.save({key: value for key, value in state.items() if key not in ("means", "idle")}, file)
    again = Experiment.resume(tmp_path / "run", quiet=True, overrides=["--training.iterations", "6"])
    assert again.fit().iteration == 6


# -- whole or absent -----------------------------------------------------------------------------------------------


def test_nothing_is_written_of_what_cannot_be_built(recipe, tmp_path):
    with pytest.raises(UserError, match="nowhere is not a run"):
        begin(recipe, tmp_path / "run", "--training.start_from", str(tmp_path / "nowhere")).fit()
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_checkpoint_is_begun_anew(recipe, tmp_path, faulty):
    run = tmp_path / "run"
    faulty(at=0, happens="inf")
    with pytest.raises(RunError, match=r"after iteration 1, so nothing was saved; begin anew with --training\.lr"):
        begin(recipe, run, "--objectives", "faulty").fit()
    assert (run / "recipe.yaml").exists()
    (run / ".recipe.0123456789ab.part.yaml").write_text("left by a killed process")
    assert begin(recipe, run, "--training.iterations", "1").fit().status == "finished"
    assert list(Recipe.load(run / "recipe.yaml").sections["objectives"]) == ["supervised"]
    assert not [name for name in os.listdir(run) if name.startswith(".")]
    with pytest.raises(UserError, match="already holds a run"):
        begin(recipe, run).fit()


def test_leftovers_alone_do_not_block_a_folder_but_files_of_others_do(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".recipe.0123456789ab.part.yaml", ".DS_Store"):
        (tmp_path / "run" / name).write_text("")
    begin(recipe, tmp_path / "run", "--training.iterations", "1").fit()
    (tmp_path / "run" / "checkpoints" / ".000002.0123456789ab.part").mkdir()
    Experiment.resume(tmp_path / "run", quiet=True).fit()
    assert [name for name in os.listdir(tmp_path / "run") if name.startswith(".")] == [".DS_Store"]
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and not a run"):
        begin(recipe, tmp_path / "mine").fit()
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]


def test_a_checkpoint_that_nothing_points_to_is_not_taken_for_this_ones(recipe, tmp_path):
    """Killed between a folder and its pointer, then continued with another rate: the folder is another run's."""
    begin(recipe, tmp_path / "run", "--training.iterations", "2").fit()
    stale = tmp_path / "run" / "checkpoints" / "000004"
    stale.mkdir()
    (stale / "network.safetensors").write_bytes(b"")
    Experiment.resume(tmp_path / "run", quiet=True, overrides=["--training.iterations", "4"]).fit()
    assert load_state(Run(tmp_path / "run").checkpoints.find() / "state.pt")["iteration"] == 4
    assert load_weights(Run(tmp_path / "run").checkpoints.find() / "network.safetensors")


# -- one run is one run --------------------------------------------------------------------------------------------


def test_one_process_at_a_time(recipe, tmp_path):
    begin(recipe, tmp_path / "run", "--training.iterations", "1").fit()
    with Run(tmp_path / "run").claimed(), pytest.raises(UserError, match="another process is training this run"):
        Experiment.resume(tmp_path / "run", quiet=True).fit()


def kept(folder: Path) -> list[str]:
    """The ids of the rows whose mask may be used."""
    return [row["id"] for row in read_table(folder / "run" / "labels.csv").rows if row["semantic"]]


def test_changes_of_table_label_and_recipe_are_noticed(tmp_path, caplog):
    table = write_tiny(tmp_path)
    begin(write_recipe(tmp_path, table), tmp_path / "run", "--training.iterations", "1").fit()
    resumed = lambda **options: Experiment.resume(tmp_path / "run", quiet=True, **options)  # noqa: E731
    resumed().fit()
    mask = next(
        tmp_path / row["semantic"] for row in read_table(tmp_path / "data.csv").rows if row["id"] in kept(tmp_path)
    )
    os.utime(mask, (1, 1))
    with pytest.raises(UserError, match=r"semantic/00.\.png changed since the run was begun.*--anyway"):
        resumed().fit()
    table.write_text(table.read_text().replace("indoor", "outdoor"))
    with pytest.raises(UserError, match=r"data\.csv, .*semantic/00.\.png changed"):
        resumed().fit()
    resumed(anyway=True).fit()
    assert "data.csv changed since the run was begun" in caplog.text
    resumed().fit()  # from now on it is that of this table
    path = tmp_path / "run" / "recipe.yaml"
    path.write_text(path.read_text().replace("flip: true", "flip: false"))
    with pytest.raises(UserError, match=r"recipe\.yaml changed"):
        resumed().fit()


def test_tables_with_conventions_of_their_own_are_watched_too(recipe, tmp_path):
    table = Recipe.load(recipe).data.table
    begin(recipe, tmp_path / "run", "--training.iterations", "1", "--data.table",
          f"[{{path: '{table}', depth: {{unit: 0.002}}}}]").fit()  # fmt: skip
    assert list(json.loads((tmp_path / "run" / "fingerprint.json").read_text())["tables"]) == [table]


def test_a_run_is_trained_longer_and_the_schedule_is_said(recipe, tmp_path, caplog):
    begin(recipe, tmp_path / "run", "--training.iterations", "2").fit()
    assert Experiment.resume(tmp_path / "run", True, overrides=["--training.iterations", "4"]).fit().iteration == 4
    assert "training.iterations was 2, is 4; from iteration 2 on, the learning rate is that of" in caplog.text
    rates = [record["lr"] for record in records(tmp_path / "run") if record["kind"] == "train"]
    assert rates[2] == pytest.approx(0.5e-3)  # half way along the cosine of four iterations
    with pytest.raises(UserError, match=r"training\.iterations: .*has been trained for 4 already, found 3"):
        Experiment.resume(tmp_path / "run", True, overrides=["--training.iterations", "3"]).fit()
    with pytest.raises(RecipeError, match=r"training\.seed: the run has 0, found 5: a run goes on as what it is"):
        Experiment.resume(tmp_path / "run", True, overrides=["--training.seed", "5"]).fit()


@pytest.mark.parametrize("change", [("data.validation_fraction", "0.5"), ("network.encoder_options.width", "6")])
@pytest.mark.parametrize("resume", ["yes", "auto"])
def test_what_makes_another_run_is_said_by_its_key_before_data_are_read(recipe, tmp_path, resume, change, monkeypatch):
    begin(recipe, tmp_path / "run", "--training.iterations", "2").fit()
    monkeypatch.setattr(Plan, "of", lambda recipe: pytest.fail("data were read"))
    key, value = change
    with pytest.raises(RecipeError, match=rf"{key}: the run has .*, found {value}"):
        begin(recipe, tmp_path / "run", "--training.iterations", "4", f"--{key}", value, resume=resume).fit()


def test_a_measured_precision_is_no_other_run(recipe, tmp_path):
    flags = ["--training.iterations", "2", "--training.precision", "auto"]
    begin(recipe, tmp_path / "run", *flags).fit()
    flags[1] = "3"
    assert begin(recipe, tmp_path / "run", *flags, resume="auto").fit().iteration == 3


def test_auto_is_typed_like_this(recipe, tmp_path, capsys):
    typed = ["train", str(recipe), "--out", str(tmp_path / "run"), "--resume", "auto", "--quiet"]
    assert main([*typed, "--training.iterations", "1"]) == 0
    assert main([*typed, "--training.iterations", "2"]) == 0
    assert "finished at iteration 2" in capsys.readouterr().out


def test_auto_begins_or_goes_on(recipe, tmp_path):
    assert begin(recipe, tmp_path / "run", "--training.iterations", "2", resume="auto").fit().iteration == 2
    assert begin(recipe, tmp_path / "run", "--training.iterations", "3", resume="auto").fit().iteration == 3
    with pytest.raises(RecipeError, match=r"training\.seed"):
        begin(recipe, tmp_path / "run", "--training.seed", "5", "--training.iterations", "3", resume="auto").fit()


def test_a_network_that_predicts_nan_is_not_the_best_and_training_goes_on(recipe, tmp_path, monkeypatch, caplog):
    def measured(*given, **options):
        raise NotFinite("depth")

    monkeypatch.setattr("crosstask.training.plan.evaluate", measured)
    experiment = begin(recipe, tmp_path / "run", "--data.validation_fraction", "0.5", "--data.labels", "full")
    assert experiment.fit().best_iteration is None
    assert "iteration 4 is not measured, the network predicts NaN or infinity for depth" in caplog.text
    assert Run(tmp_path / "run").checkpoints.has("last")
    assert not Run(tmp_path / "run").checkpoints.has("best")
