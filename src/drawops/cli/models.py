"""Commands: model …."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import (
    AsJson,
    console,
    opened_registry,
    print_json,
    print_table,
    say,
)
from drawops.cli.registry import print_audit

if TYPE_CHECKING:
    from drawops.registry import ModelRegistry, ModelVersion

model_app = typer.Typer(help="Model versions: look, compare, approve, deploy, roll back.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="V", help="Label (v1.1), alias (champion, candidate) or base.")]
By = Annotated[str, typer.Option("--by", help="Who decides.")]
Target = Annotated[
    str, typer.Option("--target", help="servers or kubernetes; default: that of DRAWOPS_TARGET (servers).")
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the audit record.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(model_app, name="model")


@model_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every model version."""
    versions = opened_registry().list()
    if as_json:
        print_json([v.to_dict() for v in versions])
        return
    rows = ((v.label, v.status, ", ".join(v.aliases), _trained(v), v.dataset, v.gate, v.approved_by) for v in versions)
    columns = ("version", "status", "alias", "trained", "dataset", "gate", "decided by")
    print_table(columns, rows)


@model_app.command()
def show(version: Version, as_json: AsJson = False) -> None:
    """All that is known of a version: parameters of its life, the gate's reasons, metrics, its audit lines."""
    from drawops.evaluation.verdicts import verdict_words

    registry = opened_registry()
    found = registry.get(version)
    lines = registry.audit.entries(found.label)
    if as_json:
        print_json({**found.to_dict(), "audit": [line.to_dict() for line in lines]})
        return
    hidden = ("metrics", "gate", "gate_name", "gate_reasons")
    print_table(("", found.label), [(k, _text(v)) for k, v in found.to_dict().items() if k not in hidden and v])
    if found.gate in ("passed", "failed"):
        console().print(f"{found.label} {verdict_words(found.gate == 'passed', found.gate_reasons, found.gate_name)}")
    for reason in found.gate_reasons:
        console().print(f"  {reason}", markup=False)
    if found.metrics:
        print_table(("metric", "value"), [(k, f"{v:.4g}") for k, v in sorted(found.metrics.items())])
    print_audit(line.to_dict() for line in lines)


@model_app.command()
def compare(first: Version, second: Version, as_json: AsJson = False) -> None:
    """Metrics of two versions side by side."""
    result = opened_registry().compare(first, second)
    if as_json:
        print_json(result)
        return
    a, b = (version["label"] for version in result["versions"])
    facts = [(k, *(_text(v[k]) for v in result["versions"]), "") for k in ("status", "mode", "base", "dataset", "gate")]
    numbers = [
        (name, *("" if v[label] is None else f"{v[label]:.4f}" for label in (a, b)), _signed(v["change"]))
        for name, v in result["metrics"].items()
    ]
    print_table(("", a, b, "change"), [*facts, *numbers])


@model_app.command()
def approve(version: Version, by: By = "", why: Why = "", as_json: AsJson = False) -> None:
    """Approve a version (and deploy it, unless DRAWOPS_DEPLOY_ON_APPROVAL is false)."""
    registry = opened_registry()
    found = registry.approve(version, by, why)
    servers = None
    if registry.settings.deploy_on_approval:
        say(f"{found.label} is approved; deploying it")
        servers = _deploy(registry, found.label, by, why)
        found = registry.get(found.label)
    _print_version(found, as_json, servers)


@model_app.command()
def reject(version: Version, by: By = "", why: Why = "", as_json: AsJson = False) -> None:
    """Reject a version. This is final."""
    _print_version(opened_registry().reject(version, by, why), as_json)


@model_app.command()
def deploy(
    version: Version,
    by: By = "",
    why: Why = "",
    target: Target = "",
    canary: Annotated[
        int | None,
        typer.Option(help="On a cluster: try it on this percentage of the pods beside the champion; 0 ends the trial."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an approved version the one that serves, on every reachable server or pod."""
    registry = opened_registry(target)
    label = registry.check_deployable(version).label
    if canary is not None:
        from drawops.serving.kubernetes import try_out

        settings = registry.settings
        pods = try_out(label, canary, settings, by=by or settings.caller, why=why or "from the command line")
        if not pods and not as_json:
            print(f"The trial of {label} has ended.")
            return
        _print_version(registry.get(label), as_json, list(pods))
        return
    servers = _deploy(registry, label, by or registry.settings.caller, why or "deployed from the command line")
    _print_version(registry.get(label), as_json, servers)


@model_app.command()
def rollback(by: By = "", why: Why = "", target: Target = "", as_json: AsJson = False) -> None:
    """Go back to the version that served before."""
    registry = opened_registry(target)
    found = registry.rollback(by or registry.settings.caller, why or "from the command line")
    _print_version(found, as_json)


@model_app.command()
def history(as_json: AsJson = False) -> None:
    """Which version served when."""
    periods = opened_registry().history()
    if as_json:
        print_json(periods)
        return
    rows = ((p["label"], p["since"][:19], p["until"][:19] or "now", p["by"], p["why"]) for p in periods)
    print_table(("version", "since (UTC)", "until (UTC)", "by", "why"), rows)


def _deploy(registry: "ModelRegistry", label: str, by: str, why: str) -> list[str]:
    from drawops.registry.models import deployment

    return list(deployment()(label, registry.settings, by=by, why=why).servers)


def _print_version(version: "ModelVersion", as_json: bool, servers: list[str] | None = None) -> None:
    if as_json:
        print_json({**version.to_dict(), "servers": servers})
        return
    where = "" if servers is None else f", served by {', '.join(servers)}" if servers else ", no server is running"
    print(f"{version.label} is {version.status}{where}")


def _trained(version: "ModelVersion") -> str:
    return f"{version.mode} from {version.base}" if version.base else version.mode


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"
