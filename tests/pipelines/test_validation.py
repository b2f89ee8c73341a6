"""What a Kubeflow backend would refuse is found without one."""

import copy

import pytest
import yaml
from kfp import dsl, kubernetes
from kfp.compiler import Compiler
from typer.testing import CliRunner

from drawops.cli import app
from drawops.runners import packages
from drawops.runners.validation import cron_problem, problems
from pipelines.compile import PIPELINES


def broken(name, change):
    """Problems of a shipped package after `change(spec, settings of its executors on Kubernetes)`."""
    spec, platform = copy.deepcopy(list(yaml.safe_load_all(packages.load(name).file.read_text(encoding="utf-8"))))
    change(spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"])
    return problems([spec, platform])


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_what_ships_would_be_taken(name):
    assert problems(packages.load(name).file) == []


def test_a_producer_that_is_not_there_is_named():
    def change(spec, _):
        del spec["root"]["dag"]["tasks"]["train-incremental"]

    found = broken("incremental", change)
    assert any("'train-incremental.model', which is not there" in p for p in found)


def test_a_parameter_that_a_group_was_not_handed_is_named():
    """kfp 2.17 compiles resources from parameters into a group so."""

    def change(spec, _):
        del spec["components"]["comp-exit-handler-1"]["inputDefinitions"]["parameters"]["pipelinechannel--gate"]

    assert any("'pipelinechannel--gate', which is not handed to it" in p for p in broken("retrain", change))


@pytest.mark.parametrize(
    "image, taken",
    [("x/drawops:1.2", True), ("x/drawops", False), ("x/drawops:latest", False), (f"x@sha256:{'0' * 64}", True)],
)
def test_an_image_needs_a_fixed_tag(image, taken):
    arguments = {"version": "v1.1", "by": "Li Wei", "image": image}
    assert any("fixed tag" in p for p in problems(packages.load("deployment").file, arguments)) is not taken


def test_a_missing_time_limit_an_unknown_key_and_a_dotted_secret_are_found():
    def change(spec, on_kubernetes):
        del on_kubernetes["exec-deploy"]["activeDeadlineSeconds"]
        on_kubernetes["exec-deploy"]["secretAsVolume"] = [{"secretName": "a.b", "mountPath": "/x"}]
        spec["root"]["dag"]["tasks"]["deploy"]["inputz"] = {}

    text = "; ".join(broken("deployment", change))
    assert "no time limit" in text and "a dot in its name" in text and "not a pipeline spec" in text


def test_a_volume_is_deleted_by_an_exit_handler_or_a_failed_run_leaves_it(tmp_path):
    def compiled(handled):
        @dsl.pipeline
        def pipeline():
            gone = kubernetes.DeletePVC(pvc_name="scratch")
            if handled:
                with dsl.ExitHandler(gone):
                    kubernetes.CreatePVC(pvc_name="scratch", access_modes=["ReadWriteOnce"], size="1Gi")

        Compiler().compile(pipeline, str(tmp_path / "volume.yaml"))
        return problems(tmp_path / "volume.yaml")

    assert compiled(handled=True) == []
    assert any("deletes a volume outside of an exit handler" in p for p in compiled(handled=False))


def test_unknown_and_missing_arguments_are_found():
    found = problems(packages.load("deployment").file, {"version": "v1.1", "byy": "x", "image": "i:1"})
    assert sorted(found) == ["parameter 'by' is missing", "unknown parameter 'byy'"]


@pytest.mark.parametrize("cron", ["0 0 2 * * *", "0 30 3 ? * 1-5", "@daily", "@every 90s", "@every 1h30m"])
def test_a_cron_of_six_fields_or_a_macro_is_one(cron):
    assert cron_problem(cron) == ""


@pytest.mark.parametrize(
    "cron, hint",
    [
        ("0 2 * * *", "six are wanted, seconds first; for what you mean write '0 0 2 * * *'"),
        ("0 0 2 * * * 2027", "7 fields"),
        ("0 0 25 * * *", "is no cron"),
        ("0 0 2 L * *", "is no cron"),
        ("@nightly", "is none of"),
        ("@every soon", "say @every"),
    ],
)
def test_what_a_backend_would_misread_is_refused(cron, hint):
    assert hint in cron_problem(cron)


def test_validate_on_the_command_line(tmp_path):
    done = CliRunner().invoke(app, ["pipeline", "validate", "incremental"])
    assert done.exit_code == 0 and "should take it" in done.stdout
    file = tmp_path / "broken.yaml"
    file.write_text("a: b", encoding="utf-8")
    done = CliRunner().invoke(app, ["pipeline", "validate", str(file), "--json"])
    assert "no pipeline in it" in done.stdout and done.exit_code != 0
