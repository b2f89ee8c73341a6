"""What a Kubeflow backend refuses, or takes and then fails on, found before anything is sent.

The backend's client checks nothing. Each rule stands for something that was seen on a real backend (2.17).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_FIXED_TAG = re.compile(r".+(:(?!latest$)[\w][\w.-]*|@sha256:[0-9a-f]{64})")
_SOURCE_LIMIT = 60_000  # characters; from about 140 kB on the backend fails with `configmaps is forbidden`
_CRON_FIELDS = 6
_DELETES_VOLUME = (
    "argostub/deletepvc"  # what kfp.kubernetes.DeletePVC compiles to; no image, the backend does it itself
)
_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def problems(package: Path | list[dict[str, Any]], arguments: Mapping[str, Any] | None = None) -> list[str]:
    """Everything that is wrong with a compiled package, in words; empty when a backend would take and run it.

    Args:
        package: file, or its documents.
        arguments: parameters of a run; None: only the package itself is checked.
    """
    if isinstance(package, Path):
        try:
            package = [document for document in yaml.safe_load_all(package.read_text(encoding="utf-8")) if document]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
            return [f"not a readable YAML file: {exc}"]
    spec = next((d for d in package if isinstance(d, dict) and "pipelineInfo" in d), None)
    if spec is None:
        return ["no pipeline in it: a compiled package has a document with 'pipelineInfo'"]
    platform = next((d for d in package if isinstance(d, dict) and "platforms" in d), {})
    on_kubernetes = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    return [
        *_schema(spec),
        *_tasks("pipeline", spec["root"], spec),
        *_executors(spec, on_kubernetes, arguments),
        *(_arguments(spec, arguments) if arguments is not None else ()),
    ]


def cron_problem(cron: str) -> str:
    """What is wrong with a backend's cron, in words; empty when nothing is. It has six fields, seconds first: five
    are taken by the backend and misread."""
    if cron.startswith("@every "):
        return "" if re.fullmatch(r"@every (\d+(\.\d+)?(ms|s|m|h))+", cron) else f"'{cron}': say @every 90s, 30m, 1h30m"
    if cron.startswith("@"):
        return "" if cron in _MACROS else f"'{cron}' is none of {', '.join(_MACROS)}, @every …"
    fields = cron.split()
    if len(fields) != _CRON_FIELDS:
        hint = f"; for what you mean write '0 {cron}'" if len(fields) == _CRON_FIELDS - 1 else ""
        return f"'{cron}' has {len(fields)} fields: six are wanted, seconds first{hint}"
    from croniter import croniter

    if re.search(r"[LW#]|TZ=", cron) or not croniter.is_valid(cron.replace("?", "*"), second_at_beginning=True):
        return f"'{cron}' is no cron: second minute hour day month weekday(0-6)"
    return ""


def _schema(spec: dict[str, Any]) -> Iterator[str]:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())  # strict about unknown keys, as the backend is
    except json_format.ParseError as exc:
        yield f"not a pipeline spec: {exc}"
    if spec.get("schemaVersion") != "2.1.0":
        yield f"schemaVersion {spec.get('schemaVersion')} instead of 2.1.0"
    if not _NAME.fullmatch(spec["pipelineInfo"]["name"]):
        yield f"the name '{spec['pipelineInfo']['name']}' must be of a-z, 0-9 and '-'"


def _tasks(where: str, graph: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    """Each task of a graph and of the groups in it: are its component, producers and inputs there?"""
    tasks, given = graph["dag"]["tasks"], graph.get("inputDefinitions", {})
    for name, task in tasks.items():
        component = spec["components"].get(task["componentRef"]["name"])
        if component is None:
            yield f"{where}/{name}: no component {task['componentRef']['name']}"
            continue
        yield from (f"{where}/{name}: {problem}" for problem in _inputs(task, component, tasks, given, spec))
        for after in task.get("dependentTasks", ()):
            if after not in tasks:
                yield f"{where}/{name}: waits for '{after}', which is not there"
        if "dag" in component:
            yield from _tasks(f"{where}/{name}", component, spec)
        elif (executor := spec["deploymentSpec"]["executors"].get(component.get("executorLabel"))) is None:
            yield f"{where}/{name}: no executor {component.get('executorLabel')}"
        elif executor.get("container", {}).get("image") == _DELETES_VOLUME and "strategy" not in task.get(
            "triggerPolicy", {}
        ):
            yield f"{where}/{name}: deletes a volume outside of an exit handler, so a failed run leaves it"


def _inputs(
    task: dict[str, Any], component: dict[str, Any], tasks: dict[str, Any], given: dict[str, Any], spec: dict[str, Any]
) -> Iterator[str]:
    inputs = task.get("inputs", {})
    for kind in ("parameters", "artifacts"):
        singular = kind.removesuffix("s").capitalize()
        for key, value in inputs.get(kind, {}).items():
            if source := value.get(f"taskOutput{singular}"):
                producer = tasks.get(source["producerTask"])
                made = spec["components"].get(producer["componentRef"]["name"], {}) if producer else {}
                output = source[f"output{singular}Key"]
                if output not in made.get("outputDefinitions", {}).get(kind, {}):
                    yield f"input '{key}' comes from '{source['producerTask']}.{output}', which is not there"
            parent = value.get(f"componentInput{singular}")
            if parent and parent not in given.get(kind, {}):
                yield f"input '{key}' comes from the parameter '{parent}', which is not handed to it"
        for key, definition in component.get("inputDefinitions", {}).get(kind, {}).items():
            optional = definition.get("isOptional") or "defaultValue" in definition
            if key not in inputs.get(kind, {}) and not optional and "dag" not in component:
                yield f"input '{key}' is given by nobody"
    items = task.get("parameterIterator", {}).get("items", {})
    if "inputParameter" in items and not inputs.get("parameters", {}).get(items["inputParameter"]):
        yield "loops over an input that is not there"


def _executors(
    spec: dict[str, Any], on_kubernetes: dict[str, Any], arguments: Mapping[str, Any] | None
) -> Iterator[str]:
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, executor in spec["deploymentSpec"]["executors"].items():
        container = executor.get("container")
        if container is None or container["image"].startswith("argostub/"):
            continue
        step = name.removeprefix("exec-")
        image = container["image"]
        if inner := re.fullmatch(r"\{\{\$\.inputs\.parameters\['(?:pipelinechannel--)?(\w+)'\]\}\}", image):
            image = (arguments or {}).get(inner[1]) or parameters.get(inner[1], {}).get("defaultValue") or ""
        if not _FIXED_TAG.fullmatch(image):
            yield f"{step}: image '{image}' has no fixed tag, so that caches and nodes can't tell its versions apart"
        if "activeDeadlineSeconds" not in on_kubernetes.get(name, {}):
            yield f"{step}: no time limit, so a missing image or node leaves the run waiting for ever"
        source = sum(map(len, [*container.get("command", ()), *container.get("args", ())]))
        if source > _SOURCE_LIMIT:
            yield f"{step}: a source of {source} characters; backends refuse large ones (keep below {_SOURCE_LIMIT})"
        for volume in on_kubernetes.get(name, {}).get("secretAsVolume", ()):
            if "." in str(volume.get("secretName", "")):
                yield f"{step}: Secret '{volume['secretName']}' as a volume: a dot in its name makes an invalid pod"


def _arguments(spec: dict[str, Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in arguments.keys() - known.keys():
        yield f"unknown parameter '{name}'"
    for name, definition in known.items():
        if name not in arguments and not definition.get("isOptional") and "defaultValue" not in definition:
            yield f"parameter '{name}' is missing"
