"""The compiled packages: that they are fresh, and what a Kubeflow backend asks for but no compiler checks."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import yaml

from drawops.resources import packages_dir
from drawops.runners import packages
from drawops.settings import Settings, load_settings
from pipelines.compile import PIPELINES, compile_all
from pipelines.placement import SECRET_KEYS

NAMES = sorted(PIPELINES)
ROOT = Path(__file__).parents[2]
COMPONENTS = sorted(ROOT.glob("components/*/component.py"))
SOURCES = [*COMPONENTS, *sorted(ROOT.glob("pipelines/*.py"))]


def documents(name: str) -> tuple[dict, dict]:
    """(pipeline spec, platform spec of Kubernetes: task -> settings) of a shipped package."""
    spec, platform = yaml.safe_load_all((packages_dir() / f"{name}.yaml").read_text(encoding="utf-8"))
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def steps_of(spec: dict) -> dict[str, dict]:
    """The tasks that do work, those of groups among them."""
    graphs = [spec["root"], *(c for c in spec["components"].values() if "dag" in c)]
    tasks = {name: task for graph in graphs for name, task in graph["dag"]["tasks"].items()}
    return {n: t for n, t in tasks.items() if "dag" not in spec["components"][t["componentRef"]["name"]]}


def containers(spec: dict) -> dict[str, dict]:
    return {name: e["container"] for name, e in spec["deploymentSpec"]["executors"].items()}


def test_the_shipped_packages_are_what_the_sources_compile_to(tmp_path):
    for file in compile_all(tmp_path):
        fresh, shipped = (re.sub(r"sdkVersion: .*", "", f.read_text()) for f in (file, packages_dir() / file.name))
        assert fresh == shipped, f"{file.name} is out of date: run `make compile`"
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted(f.name for f in packages_dir().glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_no_step_is_called_like_its_pipeline(name):
    """kfp.local would run the step instead of the pipeline."""
    assert name not in packages.load(name).tasks


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_a_time_limit_and_says_whether_it_is_cached(name):
    spec, platform = documents(name)
    for task, settings in steps_of(spec).items():
        assert "cachingOptions" in settings, task
    for executor in containers(spec):
        assert 60 <= int(platform[executor]["activeDeadlineSeconds"]) <= 24 * 3600
        assert platform[executor]["imagePullPolicy"] == "IfNotPresent"


def test_what_changes_the_registry_the_servers_or_the_index_is_never_cached():
    for name in NAMES:
        tasks = steps_of(documents(name)[0])
        cached = {task for task, settings in tasks.items() if settings["cachingOptions"].get("enableCache")}
        assert not cached & {"register", "increment", "notify", "deploy", "embed"}


@pytest.mark.parametrize("name", NAMES)
def test_image_and_secret_come_from_parameters_and_every_step_has_limits(name):
    spec, platform = documents(name)
    for executor, container in containers(spec).items():
        assert container["image"] == "{{$.inputs.parameters['pipelinechannel--image']}}"
        assert container["resources"]["resourceCpuLimit"] and container["resources"]["resourceMemoryLimit"]
        assert "env" not in container  # kfp.local would put it over the home's own settings
        (secret,) = platform[executor]["secretAsEnv"]
        assert secret["secretNameParameter"]["componentInputParameter"].endswith("secret")
        assert secret["optional"] is True


def test_the_default_image_has_a_fixed_tag_and_is_that_of_the_settings():
    default = Settings(home=Path("/home")).image
    for name in NAMES:
        assert packages.load(name).parameters["image"].default == default
    assert re.fullmatch(r".+:\d[\w.-]*", default)


def test_the_secret_sets_known_settings_that_no_service_link_can_hit():
    ours = {v.removeprefix("DRAWOPS_").lower() for v in SECRET_KEYS.values() if v.startswith("DRAWOPS_")}
    assert ours <= set(Settings.model_fields)
    assert not any(v.endswith("_PORT") or "_SERVICE_" in v or "_PORT_" in v for v in SECRET_KEYS.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_step_carries_a_small_source_and_installs_nothing(name):
    for executor, container in containers(documents(name)[0]).items():
        command = " ".join(container["command"])
        assert len(command) < 10_000, executor  # a backend refuses them from about 140 kB on
        assert "pip install" not in command
        assert "from drawops import steps" in command


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda p: p.parent.name)
def test_a_component_is_a_doorway(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert "from __future__" not in text
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    body = [
        node for node in function.body if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant)
    ]
    lines = body[-1].end_lineno - body[0].lineno + 1
    assert lines <= 20
    assert ast.unparse(body[0]) == "from drawops import steps"
    assert not any(isinstance(node, (ast.For, ast.While, ast.If, ast.Try)) for node in ast.walk(function))
    annotations = [ast.unparse(a.annotation) for a in function.args.args]
    assert not any("|" in a or "Literal" in a or a == "list" for a in annotations), annotations


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda p: p.parent.name)
def test_a_component_makes_every_number_the_kind_that_it_wants(path):
    """A backend hands 2 for 2.0, kfp.local 2.0 for 2."""
    (function,) = (node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef))
    numbers = {a.arg: a.annotation.id for a in function.args.args if ast.unparse(a.annotation) in ("int", "float")}
    made = [ast.unparse(node) for node in ast.walk(function) if isinstance(node, ast.Call)]
    for name, kind in numbers.items():
        used = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
        assert len(used) == made.count(f"{kind}({name})") == 1, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_lists_say_what_is_in_them(path):
    """A loop over an untyped list compiles, and fails in the backend's driver."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    arguments = [
        a for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for a in (*f.args.args, *f.args.kwonlyargs)
    ]
    untyped = [a.arg for a in arguments if a.annotation and ast.unparse(a.annotation).lower().split(".")[-1] == "list"]
    assert untyped == []
    assert not re.search(r"""["'], (list|List)\)""", path.read_text(encoding="utf-8"))  # outputs


@pytest.mark.parametrize("name", NAMES)
def test_no_package_keeps_a_secret_or_a_volume_that_a_failed_run_leaves(name):
    spec, platform = documents(name)
    assert not [s for s in platform.values() if "secretAsVolume" in s or "pvcMount" in s]
    assert not [c["image"] for c in containers(spec).values() if c["image"].startswith("argostub/")]


def test_no_setting_is_called_like_what_a_service_puts_into_every_pod(monkeypatch):
    """With service links on, a Service `drawops` makes DRAWOPS_PORT, DRAWOPS_SERVICE_HOST and so on."""
    names = [f"DRAWOPS_{name.upper()}" for name in Settings.model_fields]
    assert not [n for n in names if n.endswith(("_PORT", "_HOST")) or "_PORT_" in n or "_SERVICE_" in n]
    for made in ("PORT", "SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT_80_TCP_ADDR", "SERVER_CANARY_PORT"):
        monkeypatch.setenv(f"DRAWOPS_{made}", "tcp://10.96.0.7:80")
    assert load_settings("/home").listen == "127.0.0.1:8080"


@pytest.mark.parametrize("name", NAMES)
def test_every_component_input_is_described(name):
    for component in (c for c in documents(name)[0]["components"].values() if "dag" not in c):
        for kind in ("parameters", "artifacts"):
            for key, value in component.get("inputDefinitions", {}).get(kind, {}).items():
                assert value.get("description") or value["parameterType"] == "TASK_FINAL_STATUS", key


@pytest.mark.parametrize("name", NAMES)
def test_the_package_says_what_the_pipeline_function_takes(name):
    parameters = packages.load(name).parameters
    signature = inspect.signature(PIPELINES[name].pipeline_func).parameters
    assert set(parameters) == set(signature)
    for key, parameter in signature.items():
        assert parameters[key].required == (parameter.default is inspect.Parameter.empty)
        if not parameters[key].required:
            assert parameters[key].check(parameters[key].default) == parameter.default


def test_the_steps_of_a_package_are_listed_in_the_order_in_which_they_run():
    assert packages.load("incremental").tasks == ("preprocess", "train-incremental", "evaluate", "register")
