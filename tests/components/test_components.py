"""Each component's body called as plain Python, with real artifacts on a small dataset."""

import json
from pathlib import Path

import pytest
from kfp import dsl

from components.embed.component import embed
from components.evaluate.component import evaluate
from components.preprocess.component import preprocess
from components.register.component import register
from components.train_full.component import train_full
from components.train_incremental.component import train_incremental
from drawops import steps
from drawops.datasets.ingest import ingest
from drawops.errors import InputRefused, SettingsError
from drawops.registry import ModelRegistry
from drawops.settings import load_settings, prepare_home
from tests.sheets import draw_sheet


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the dataset `d` of four drawings and the base model; the steps find it by DRAWOPS_HOME."""
    folder = tmp_path_factory.mktemp("components")
    settings = prepare_home(load_settings(folder / "home"))
    files = [draw_sheet(folder / f"{i}.pdf", seed=20 + i) for i in range(4)]
    ingest(files, "d", settings=settings)
    ModelRegistry(settings).ensure_base()
    return settings


@pytest.fixture
def here(home, monkeypatch):
    monkeypatch.setenv("DRAWOPS_HOME", str(home.home))
    return home


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Makes artifacts by name, the same one for the same name; their metadata stay with them."""
    folder = tmp_path_factory.mktemp("artifacts")
    made = {}

    def make(kind, name):
        return made.setdefault(name, kind(name=name, uri=str(folder / name)))

    return make


def run_preprocess(home, artifacts, **changed):
    values = {"dataset": steps.pin_dataset("d", home), "base": "v1.0", "champion": "v1.0", "generated": 12.0}
    preprocess.python_func(
        **{**values, "new_to_old": 2, "seed": 0.0, **changed},  # numbers of the kind that a backend may send
        line_set=artifacts(dsl.Dataset, "lines"),
        base_model=artifacts(dsl.Model, "base"),
        champion_model=artifacts(dsl.Model, "champion"),
    )


def test_preprocess_makes_a_line_set_and_fetches_the_models(here, artifacts):
    run_preprocess(here, artifacts)
    lines = artifacts(dsl.Dataset, "lines")
    rows = [json.loads(row) for row in Path(lines.path, "lines.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines.metadata["lines.train.generated"] == sum(
        r["split"] == "train" and r["origin"] == "generated" for r in rows
    )
    assert all(not isinstance(value, (dict, list)) for value in lines.metadata.values())  # a backend nests them anew
    assert artifacts(dsl.Model, "base").metadata["label"] == "v1.0"


@pytest.mark.parametrize("changed", [{"dataset": "d"}, {"base": "champion"}, {"champion": "candidate"}])
def test_preprocess_refuses_names_that_move(here, artifacts, changed):
    with pytest.raises(InputRefused, match="a pipeline needs"):
        run_preprocess(here, lambda kind, name: artifacts(kind, f"refused-{name}"), **changed)


@pytest.mark.slow
def test_training_evaluation_and_registration_follow(here, artifacts):
    run_preprocess(here, artifacts)
    model, metrics = artifacts(dsl.Model, "model"), artifacts(dsl.Metrics, "metrics")
    lines, base = artifacts(dsl.Dataset, "lines"), artifacts(dsl.Model, "base")
    train_incremental.python_func(
        line_set=lines, base_model=base, config={"epochs": 1.0, "threads": 1.0}, model=model, metrics=metrics
    )
    assert model.metadata["mode"] == "incremental"
    assert json.loads(Path(metrics.path).read_text())["accuracy"] == metrics.metadata["accuracy"]

    figures, evaluation = artifacts(dsl.Metrics, "figures"), artifacts(dsl.Artifact, "evaluation")
    evaluate.python_func(
        model=model,
        champion_model=artifacts(dsl.Model, "champion"),
        line_set=lines,
        general_lines=10.0,
        generated_test_lines=5.0,
        evaluation=evaluation,
        metrics=figures,
    )
    assert figures.metadata["general_lines"] == 10

    registered = register.python_func(
        model=model,
        line_set=lines,
        evaluation=evaluation,
        mode="incremental",
        base="v1.0",
        dataset=steps.pin_dataset("d", here),
        gate="default",
        trained_by="王工",
        report=artifacts(dsl.HTML, "report"),
    )
    assert (registered.version, registered.verdict) == ("v1.1", "rejected")
    assert ModelRegistry(here).get("v1.1").trained_by == "王工"


@pytest.mark.parametrize("component", [train_full, train_incremental])
def test_a_wrong_training_parameter_is_named(here, artifacts, component):
    with pytest.raises(SettingsError, match="Did you mean 'epochs'"):
        component.python_func(
            line_set=artifacts(dsl.Dataset, "none"),
            base_model=artifacts(dsl.Model, "none either"),
            config={"epoch": 1},
            model=artifacts(dsl.Model, "unused"),
            metrics=artifacts(dsl.Metrics, "unused metrics"),
        )


def test_embed_says_how_many_drawings_the_index_holds(here, artifacts):
    metrics = artifacts(dsl.Metrics, "embedded")
    assert embed.python_func(dataset=steps.pin_dataset("d", here), metrics=metrics) == (4,)
    assert metrics.metadata["embedded"] == 4
