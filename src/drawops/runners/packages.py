"""The compiled pipeline packages that ship with DrawOps, and what they take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from drawops.errors import NotFound, SettingsError, did_you_mean
from drawops.resources import packages_dir

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# KFP's name of a parameter type -> what is expected, in words, and the Python types that will do.
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "STRING": ("text", (str,)),
    "NUMBER_INTEGER": ("a whole number", (int,)),
    "NUMBER_DOUBLE": ("a number", (int, float)),
    "BOOLEAN": ("true or false", (bool,)),
    "LIST": ("a list", (list, tuple)),
    "STRUCT": ("a mapping", (dict,)),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline. `kind` is KFP's name of the type."""

    name: str
    kind: str
    required: bool
    default: Any = None

    @property
    def expects(self) -> str:
        return _TYPES[self.kind][0]

    def check(self, value: Any) -> Any:
        """The value as the pipeline wants it.

        Raises:
            SettingsError: it is of another type.
        """
        if self.kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
            return int(value)
        fits = isinstance(value, _TYPES[self.kind][1])
        if not fits or (isinstance(value, bool) and self.kind != "BOOLEAN"):
            raise SettingsError(f"Parameter '{self.name}' must be {self.expects}, not {value!r}.")
        if self.kind == "NUMBER_DOUBLE":
            return float(value)
        return list(value) if self.kind == "LIST" else value

    def parse(self, text: str) -> Any:
        """The value of `--set name=text`. Raises SettingsError."""
        if self.kind == "STRING":
            return text
        try:
            value = yaml.safe_load(text)
            if self.kind == "NUMBER_DOUBLE" and isinstance(value, str):
                value = float(value)  # 1e-4 is text to YAML
        except (yaml.YAMLError, ValueError):
            value = text
        return self.check(value)


@dataclass(frozen=True)
class Package:
    """A compiled pipeline."""

    name: str
    description: str
    file: Path
    parameters: dict[str, Parameter]
    tasks: tuple[str, ...]


def names() -> list[str]:
    """Names of the pipelines that ship with DrawOps."""
    return sorted(file.stem for file in packages_dir().glob("*.yaml"))


def load(name: str) -> Package:
    """Raises NotFound when there is no such pipeline."""
    if name not in names():
        raise NotFound(f"No pipeline '{name}'. {did_you_mean(name, names())}", what=name)
    return read(packages_dir() / f"{name}.yaml")


def told_outputs(events: Iterable[Mapping[str, Any]], tasks: Iterable[str]) -> dict[str, Any]:
    """What the steps of a run told that they give, by name, a later step over an earlier one."""
    told = {event["step"]: event["outputs"] for event in events if event["event"] == "finished" and "outputs" in event}
    return {name: value for task in tasks for name, value in told.get(task, {}).items()}


def task_names(package: Path) -> list[str]:
    return list(read(package).tasks)


@cache
def read(file: Path) -> Package:
    """A package file. Its tasks are in an order in which they can run."""
    spec = next(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_Loader))
    root = spec["root"]
    inputs = root.get("inputDefinitions", {}).get("parameters", {})
    return Package(
        name=spec["pipelineInfo"]["name"],
        description=spec["pipelineInfo"].get("description", ""),
        file=file,
        parameters={name: _parameter(name, value) for name, value in inputs.items()},
        tasks=tuple(_in_order(root["dag"], spec["components"])),
    )


def _parameter(name: str, spec: dict[str, Any]) -> Parameter:
    kind, default = spec["parameterType"], spec.get("defaultValue")
    if kind == "NUMBER_INTEGER" and default is not None:
        default = int(default)  # the package holds every number as a float
    return Parameter(name, kind, required="defaultValue" not in spec and not spec.get("isOptional"), default=default)


def _in_order(dag: dict[str, Any], components: dict[str, Any]) -> list[str]:
    """The tasks that do work, in an order in which they can run; those of a group (an exit handler) in its place."""
    from graphlib import TopologicalSorter

    tasks = dag["tasks"]
    order = TopologicalSorter({name: task.get("dependentTasks", []) for name, task in sorted(tasks.items())})
    found: list[str] = []
    for name in order.static_order():
        group = components[tasks[name]["componentRef"]["name"]].get("dag")
        found += _in_order(group, components) if group else [name]
    return found
