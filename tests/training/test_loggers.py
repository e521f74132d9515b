import logging

import pytest
import yaml
from lightning_fabric.loggers.logger import Logger

from crosstask.errors import RecipeError, UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.training.loggers import build_trackers
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny


class Told(Logger):
    """Keeps what it is told; ``fails`` after so many records."""

    made: list = []  # noqa: RUF012

    def __init__(self, fails: int | None = None) -> None:
        self.fails, self.records, self.params, self.ended = fails, [], None, None
        Told.made.append(self)

    name = "told"
    version = None

    def log_metrics(self, metrics, step=None):
        if self.fails is not None and len(self.records) >= self.fails:
            raise ConnectionError("the server\ndoes not answer")
        self.records.append((step, metrics))

    def log_hyperparams(self, params, *args, **kwargs):
        self.params = params

    def finalize(self, status):
        self.ended = status


@pytest.fixture
def recipe(tmp_path):
    Told.made.clear()
    return write_recipe(tmp_path, write_tiny(tmp_path))


def own(**arguments):
    return ["--loggers", f"{{told: {{class_path: {__name__}.Told, init_args: {arguments}}}}}"]


def fit(recipe, out, options):
    return Experiment(Recipe.load(recipe, options, trust=True), out, quiet=True).fit()


def test_a_logger_by_class_path_gets_every_number_of_every_record(recipe, tmp_path):
    fit(recipe, tmp_path / "run", own())
    (told,) = Told.made
    records = Run(tmp_path / "run").records()
    assert [step for step, _ in told.records] == [record["iteration"] for record in records]
    first, metrics = records[0], told.records[0][1]
    assert metrics["train/lr"] == first["lr"]
    known = {f"train/terms/{name}": value for name, value in first["terms"].items() if value is not None}
    assert known
    assert {name: value for name, value in metrics.items() if name.startswith("train/terms/")} == known
    assert told.params["training"]["batch_size"] == 2
    assert told.ended == "success"


def test_a_logger_that_fails_does_not_end_the_run(recipe, tmp_path, caplog):
    assert fit(recipe, tmp_path / "run", own(fails=1)).status == "finished"
    assert len(Told.made[0].records) == 1
    warned = [record.getMessage() for record in caplog.records if "loggers.told" in record.getMessage()]
    assert warned == ["loggers.told: ConnectionError: the server does not answer: the run goes on without it"]


def test_a_new_logger_of_a_resumed_run_gets_all_of_it(recipe, tmp_path):
    fit(recipe, tmp_path / "run", [*own(), "--training.iterations", "2"])
    more = ["--training.iterations", "4"]
    Experiment.resume(tmp_path / "run", quiet=True, trust=True, overrides=more).fit()
    assert [step for step, _ in Told.made[1].records] == [r["iteration"] for r in Run(tmp_path / "run").records()]


def test_code_of_strangers_and_what_does_not_exist(recipe, tmp_path):
    with pytest.raises(RecipeError, match=r"loggers\.told\.class_path.*--trust"):
        Recipe.load(recipe, own())
    with pytest.raises(RecipeError, match=r"no logger 'tensorbord'.*tensorboard.*class_path"):
        Recipe.load(recipe, ["--loggers", "tensorbord"])
    with pytest.raises(RecipeError, match=r"loggers\.told\.name: no key beside class_path"):
        Recipe.load(recipe, ["--loggers", "{told: {class_path: a.B, name: x}}"], trust=True)
    with pytest.raises(UserError, match=r"loggers\.told: TypeError.*wrong"):
        fit(recipe, tmp_path / "run", own(wrong=1))
    assert not (tmp_path / "run/recipe.yaml").exists()


def test_a_recipe_without_loggers_says_nothing_of_them(recipe):
    assert "loggers" not in yaml.safe_load(Recipe.load(recipe).to_yaml())
    assert yaml.safe_load(Recipe.load(recipe, ["--loggers", "tensorboard"]).to_yaml())["loggers"] == {"tensorboard": {}}


@pytest.mark.slow
def test_mlflow_in_a_local_folder(recipe, tmp_path, monkeypatch):
    pytest.importorskip("pytorch_lightning", reason="needs the extra mlflow")
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (tmp_path / "tracked").as_uri()
    fit(recipe, tmp_path / "run", ["--loggers", f"{{mlflow: {{tracking_uri: '{store}'}}}}"])
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("crosstask")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["training/batch_size"] == "2"
    stored = client.get_metric_history(found.info.run_id, "train/lr")
    lr = {record["iteration"]: record["lr"] for record in Run(tmp_path / "run").records() if record["kind"] == "train"}
    assert {each.step: each.value for each in stored} == pytest.approx(lr)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pytorch_lightning.loggers", None)
    with pytest.raises(UserError, match=r"loggers\.wandb: .*pip install wandb"):
        build_trackers({"wandb": {}}, tmp_path, {})


# -- the log file --------------------------------------------------------------------------------------------------


def test_the_log_file_tells_what_was_told_and_how_it_ended(recipe, tmp_path):
    fit(recipe, tmp_path / "run", [])
    text = (tmp_path / "run/log.txt").read_text()
    assert "training samples, labelled: semantic" in text
    assert "iteration 4  semantic miou" in text
    assert text.splitlines()[-1].endswith("INFO finished at iteration 4")
    assert logging.getLogger("crosstask").level == logging.NOTSET


def test_the_log_file_holds_the_traceback_of_a_fault(recipe, tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr("crosstask.training.fit.Trainer._step", broken)
    with pytest.raises(ZeroDivisionError):
        fit(recipe, tmp_path / "run", own())
    text = (tmp_path / "run/log.txt").read_text()
    assert "ERROR the run failed" in text
    assert "Traceback" in text
    assert text.rstrip().endswith("ZeroDivisionError: of a test")
    assert Told.made[0].ended == "failed"
