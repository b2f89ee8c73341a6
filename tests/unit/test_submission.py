"""What `drawops.submit` makes of its parameters before anything starts."""

import pytest

import drawops
from drawops.cli._output import assigned
from drawops.errors import NotFound, SettingsError
from drawops.runners import open_runner, packages
from drawops.runners.submission import filled_in, needs, parse, prepare
from drawops.settings import load_settings

INCREMENTAL = packages.load("incremental")


def test_values_on_the_command_line_become_what_their_parameters_are():
    given = assigned(["generated=300", "new_to_old=1e0", "trained_by=123", "dataset=图纸=1", "epochs=3"])
    values = parse(INCREMENTAL, given)
    assert values == {"generated": 300, "new_to_old": 1.0, "trained_by": "123", "dataset": "图纸=1", "epochs": "3"}


def test_training_parameters_find_their_place_in_the_config():
    given = {"dataset": "d", "epochs": "3", "learning_rate": 1e-3, "config": {"warmup": 0.1}}
    assert prepare(INCREMENTAL, given) == {
        "dataset": "d",
        "config": {"warmup": 0.1, "epochs": 3, "learning_rate": 0.001},
    }


def test_a_name_that_pipeline_and_training_know_goes_to_both():
    prepared = prepare(INCREMENTAL, {"dataset": "d", "seed": 7})
    assert prepared == {"dataset": "d", "seed": 7, "config": {"seed": 7}}


def test_whole_numbers_may_come_as_floats_and_none_stands_for_the_default():
    assert prepare(INCREMENTAL, {"dataset": "d", "generated": 5.0, "gate": None}) == {"dataset": "d", "generated": 5}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epoch": 3}, "no parameter 'epoch'. Did you mean 'epochs'"),
        ({"mode": "full"}, "no parameter 'mode'"),
        ({"generated": "many"}, "'generated' must be a whole number, not 'many'"),
        ({"generated": 2.5}, "'generated' must be a whole number, not 2.5"),
        ({"generated": True}, "'generated' must be a whole number, not True"),
        ({"trained_by": 3}, "'trained_by' must be text, not 3"),
        ({"epochs": -1}, "epochs=-1"),
        ({"config": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"dataset": None}, "needs dataset"),
    ],
)
def test_a_wrong_parameter_is_refused_and_named(parameters, message):
    with pytest.raises(SettingsError, match=message.replace(".", r"\.")):
        prepare(INCREMENTAL, {"dataset": "d", **parameters})


def test_an_assignment_without_equals_sign_is_refused():
    with pytest.raises(SettingsError, match="--set epochs: write it as KEY=VALUE"):
        assigned(["epochs"])


def test_a_wrong_value_on_the_command_line_says_what_is_expected():
    with pytest.raises(SettingsError, match="'generated' must be a whole number, not 'a lot'"):
        parse(INCREMENTAL, {"generated": "a lot"})


def test_only_what_can_not_be_filled_in_has_to_be_given():
    assert needs(INCREMENTAL) == ["dataset"]
    assert filled_in(INCREMENTAL)["champion"] == "champion"
    assert sorted(needs(packages.load("deployment"))) == ["by", "version"]


def test_an_unknown_pipeline_runner_or_dataset_names_the_nearest_and_starts_nothing(tmp_path):
    settings = load_settings(tmp_path / "home")
    with pytest.raises(NotFound, match="Did you mean 'incremental'"):
        drawops.submit("incrementl", settings=settings, dataset="d")
    with pytest.raises(SettingsError, match="No runner 'lokal'. Did you mean 'local'"):
        drawops.submit("incremental", runner="lokal", settings=settings, dataset="d")
    with pytest.raises(NotFound, match="No dataset 'd'"):
        drawops.submit("incremental", settings=settings, dataset="d")
    assert open_runner("local", settings).list() == []


def test_a_gate_file_is_found_from_wherever_a_step_works(home, tmp_path, monkeypatch):
    from drawops.runners import packages
    from drawops.runners.submission import pin

    (tmp_path / "mine.yaml").write_text("description: mine\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    pinned = pin(packages.load("incremental"), {"gate": "mine.yaml", "base": "v1.0", "champion": "v1.0"}, home)
    assert pinned["gate"] == str(tmp_path / "mine.yaml")


def test_a_teacher_is_pinned_to_the_version_that_its_name_means_now(home):
    from drawops.runners.submission import pin

    models = {"base": "v1.0", "champion": "v1.0"}
    given = {**models, "config": {"distill": "champion", "alpha": 0.3}}
    assert pin(INCREMENTAL, given, home)["config"] == {"distill": "v1.0", "alpha": 0.3}
    with pytest.raises(NotFound, match="Did you mean 'champion'"):
        pin(INCREMENTAL, {**models, "config": {"distill": "champoin"}}, home)
