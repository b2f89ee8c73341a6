"""`drawops.submit`: check everything, pin every reference, then start the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.errors import SettingsError, did_you_mean
from drawops.runners import packages
from drawops.runners.packages import Package
from drawops.runners.protocol import OnEvent, Run, Runner

if TYPE_CHECKING:
    from drawops.settings import Settings

RUNNERS = ("docker", "kubeflow", "local")
# Parameters that `pin` fills in when they are left out, and with what.
_FILLED_IN = {
    "base": "champion",
    "champion": "champion",
    "trained_by": "<you>",
    "gate": "<setting gate>",
    "image": "<setting image>",
}


def submit(
    name: str,
    *,
    runner: "str | Runner" = "local",
    settings: "Settings | None" = None,
    on_event: OnEvent | None = None,
    **parameters: Any,
) -> Run:
    """Start a pipeline.

        run = drawops.submit("incremental", dataset="gearbox", epochs=10).wait()
        run.outputs()["version"]

    Args:
        name: pipeline, one of `drawops pipeline list`.
        runner: name of a runner, or one that is open already.
        settings: default: those of the nearest home.
        on_event: called with what the steps tell while `wait` waits.
        **parameters: of the pipeline; for training pipelines also fields of `TrainConfig`, such as `epochs`.
    Returns:
        The run, started.
    Raises:
        NotFound: no such pipeline, dataset or model version.
        SettingsError: no such runner or parameter (the nearest is named), a value of the wrong type, one missing.
    """
    from drawops.settings import load_settings, prepare_home

    package = packages.load(name)
    settings = settings or load_settings()
    chosen = open_runner(runner, settings) if isinstance(runner, str) else runner
    given = prepare(package, parameters)
    complete = pin(package, given, prepare_home(settings))
    run = chosen.submit(name, package.file, complete)
    return Run(run.id, chosen, on_event)


def open_runner(name: str, settings: "Settings", *, tied: bool = False) -> Runner:
    """Raises SettingsError when there is no such runner."""
    if name not in RUNNERS:
        raise SettingsError(f"No runner '{name}'. {did_you_mean(name, RUNNERS)}")
    if name == "kubeflow":
        from drawops.runners.kubeflow import KubeflowRunner

        return KubeflowRunner(settings)
    from drawops.runners.local import LocalRunner

    return LocalRunner(settings, tied=tied, containers=name == "docker")


def needs(package: Package) -> list[str]:
    """Parameters that must be given."""
    return [p.name for p in package.parameters.values() if p.required and p.name not in _FILLED_IN]


def filled_in(package: Package) -> dict[str, str]:
    """Parameters that are filled in when they are left out, and with what, in words."""
    return {name: what for name, what in _FILLED_IN.items() if name in package.parameters}


def prepare(package: Package, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters by their places in the pipeline, checked.

    Raises:
        SettingsError: a name that nobody knows (the nearest is named), a value of the wrong type or out of its range,
            one missing.
    """
    checked = _check(package, _sort_out(package, parameters))
    if missing := [name for name in needs(package) if name not in checked]:
        raise SettingsError(f"Pipeline '{package.name}' needs {', '.join(missing)}: --set {missing[0]}=…")
    return checked


def _sort_out(package: Package, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Move fields of TrainConfig into the pipeline's `config`; a name that both know goes to both."""
    trains = "config" in package.parameters
    fields = _train_fields() if trains else set()
    sorted_out: dict[str, Any] = {}
    config = dict(parameters.get("config") or {})
    for name, value in parameters.items():
        if name not in package.parameters and name not in fields:
            known = set(package.parameters) | fields
            raise SettingsError(f"Pipeline '{package.name}' has no parameter '{name}'. {did_you_mean(name, known)}")
        if name in fields:
            config[name] = value
        if name in package.parameters and name != "config":
            sorted_out[name] = value
    if config:
        sorted_out["config"] = config
    return sorted_out


def _check(package: Package, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the pipeline wants them; None stands for the default."""
    checked = {n: package.parameters[n].check(v) for n, v in parameters.items() if v is not None}
    if "config" in checked:
        from drawops.training.config import TrainConfig

        # Only what was given, but as TrainConfig understood it ("3" -> 3).
        parsed = TrainConfig.parse({**checked["config"], "mode": _mode(package)})
        checked["config"] = {n: getattr(parsed, n) for n in checked["config"]}
    return checked


def parse(package: Package, texts: Mapping[str, str]) -> dict[str, Any]:
    """Each value as its parameter's type says; unknown names stay, to be refused by `filled_in`.

    Raises:
        SettingsError: a wrong value.
    """
    known = package.parameters
    return {name: known[name].parse(text) if name in known else text for name, text in texts.items()}


def pin(package: Package, parameters: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    """Replace names that move (a dataset's latest version, `champion`) by what they mean now, and fill in who and where.

    Steps are cached by their parameters, so a parameter has to say what is used, not how to find it.

    Raises:
        NotFound: no such dataset, model version or gate.
    """
    from drawops import steps

    pinned = dict(parameters)
    wanted = package.parameters
    if "dataset" in pinned:
        pinned["dataset"] = steps.pin_dataset(pinned["dataset"], settings)
    labels: dict[str, str] = {n: pinned.get(n) or "champion" for n in ("base", "champion") if n in wanted}
    if "min_new_lines" in wanted:  # a pipeline that looks itself takes what is newest when it starts
        pinned["dataset"], labels = pinned["dataset"].partition("@")[0], {}
    if "version" in pinned:
        labels["version"] = pinned["version"]
    if labels:
        pinned |= steps.pin_models(labels, settings)
    if teacher := pinned.get("config", {}).get("distill"):
        pinned["config"] = {**pinned["config"], "distill": steps.pin_models({"distill": teacher}, settings)["distill"]}
    for name, value in {"trained_by": settings.caller, "gate": settings.gate, "image": settings.image}.items():
        if name in wanted:
            pinned.setdefault(name, value)
    if "gate" in pinned:
        from drawops.registry.gates import load_gate

        load_gate(pinned["gate"])  # a wrong name is told now, not after the training
        if pinned["gate"].endswith((".yaml", ".yml")):
            pinned["gate"] = str(Path(pinned["gate"]).resolve())  # a step works in a folder of its own
    return pinned


def _mode(package: Package) -> str:
    return "full" if package.name == "training" else "incremental"


def _train_fields() -> set[str]:
    from drawops.training.config import TrainConfig

    return set(TrainConfig.model_fields) - {"mode"}  # the pipeline is the mode
