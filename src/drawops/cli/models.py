"""Commands: model …, registry …, lineage, watch."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import AsJson, console, print_json, print_table, reading_settings, say, writing_settings

if TYPE_CHECKING:
    from rich.tree import Tree

    from drawops.registry import ModelRegistry, ModelVersion

model_app = typer.Typer(help="Model versions: look, compare, approve, deploy, roll back.", no_args_is_help=True)
registry_app = typer.Typer(help="The MLflow UI of this home; the audit record.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="V", help="Label (v1.1), alias (champion, candidate) or base.")]
By = Annotated[str, typer.Option("--by", help="Who decides.")]
Target = Annotated[
    str, typer.Option("--target", help="servers or kubernetes; default: that of DRAWOPS_TARGET (servers).")
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the audit record.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(model_app, name="model")
    app.add_typer(registry_app, name="registry")
    app.command()(lineage)
    app.command()(watch)


@model_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every model version."""
    versions = _registry().list()
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

    registry = _registry()
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
    _print_audit(line.to_dict() for line in lines)


@model_app.command()
def compare(first: Version, second: Version, as_json: AsJson = False) -> None:
    """Metrics of two versions side by side."""
    result = _registry().compare(first, second)
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
    registry = _registry()
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
    _print_version(_registry().reject(version, by, why), as_json)


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
    registry = _registry(target)
    label = registry.check_deployable(version).label
    if canary is not None:
        from drawops.serving.kubernetes import try_out

        settings = registry.settings
        pods = try_out(label, canary, settings, by=by or settings.caller, why=why or "from the command line")
        _print_version(registry.get(label), as_json, list(pods))
        return
    servers = _deploy(registry, label, by or registry.settings.caller, why or "deployed from the command line")
    _print_version(registry.get(label), as_json, servers)


@model_app.command()
def rollback(by: By = "", why: Why = "", target: Target = "", as_json: AsJson = False) -> None:
    """Go back to the version that served before."""
    registry = _registry(target)
    found = registry.rollback(by or registry.settings.caller, why or "from the command line")
    _print_version(found, as_json)


@model_app.command()
def history(as_json: AsJson = False) -> None:
    """Which version served when."""
    periods = _registry().history()
    if as_json:
        print_json(periods)
        return
    rows = ((p["label"], p["since"][:19], p["until"][:19] or "now", p["by"], p["why"]) for p in periods)
    print_table(("version", "since (UTC)", "until (UTC)", "by", "why"), rows)


@registry_app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that the audit record is whole and that MLflow says the same. Exit code 1 when not."""
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(reading_settings())
    problems = registry.verify()
    lines = len(registry.audit.entries())
    if as_json:
        print_json({"ok": not problems, "lines": lines, "problems": problems})
    elif problems:
        for problem in problems:
            print(f"✗ {problem}")
    else:
        print(f"✓ {lines} audit lines, unbroken; MLflow agrees with them.")
    if problems:
        raise typer.Exit(1)


@registry_app.command()
def audit(
    version: Annotated[str, typer.Argument(metavar="[V]", help="Only the lines of this version.")] = "",
    as_json: AsJson = False,
) -> None:
    """The audit record: who did what to which version, when and why."""
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(reading_settings())
    label = registry.resolve(version) if version else None
    entries = [entry.to_dict() for entry in registry.audit.entries(label)]
    if as_json:
        print_json(entries)
    else:
        _print_audit(entries)


@registry_app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need DRAWOPS_SIGN_IN.")] = (
        "127.0.0.1"
    ),
    as_json: AsJson = False,
) -> None:
    """Run the MLflow server of this home until Ctrl-C, and say how to decide on a version in its UI."""
    import signal
    import sys

    from drawops.registry.ui import how_to_decide, mlflow_ui, page_of

    settings = _registry().settings
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the child too
    if settings.mlflow_uri.startswith("http"):
        _print_ui(page_of(settings, settings.mlflow_uri), how_to_decide(settings), as_json)
        return
    say("starting the MLflow UI …")
    with mlflow_ui(settings, port, host) as (address, process):
        _print_ui(page_of(settings, address), how_to_decide(settings), as_json)
        say("stop with Ctrl-C")
        try:
            process.wait()
        except KeyboardInterrupt:
            say("stopped")


@registry_app.command()
def webhook(
    server: Annotated[str, typer.Argument(help="Base URL of a DrawOps server, as MLflow reaches it.")],
    as_json: AsJson = False,
) -> None:
    """Let MLflow wake the watcher of a DrawOps server at every change, signed with DRAWOPS_HOOK_SECRET."""
    from drawops.registry.webhook import set_webhook

    url = set_webhook(writing_settings(), server)
    print_json({"url": url}) if as_json else print(f"MLflow tells {url}")


@registry_app.command()
def account(
    name: Annotated[str, typer.Argument(help="Name to sign in with; it stands in the audit record.")],
    role: Annotated[str, typer.Option(help="approver: may decide on versions; reader: may look.")] = "approver",
    password_file: Annotated[str, typer.Option(help="File that holds the password; default: ask for it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an account for the MLflow UI of this home, or change its password and role."""
    from pathlib import Path

    from drawops.errors import InputRefused
    from drawops.registry.accounts import set_account

    if role not in ("approver", "reader"):
        raise InputRefused(f"role '{role}'", "must be approver or reader")
    if password_file:
        password = Path(password_file).read_text(encoding="utf-8").strip()
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    set_account(_registry().settings, name, password, role)  # type: ignore[arg-type]
    if as_json:
        print_json({"account": name, "role": role})
    else:
        print(f"{name} can sign in as {role}")


def lineage(
    subject: Annotated[str, typer.Argument(metavar="DRAWING|VERSION", help="File, name or sha256; or a version.")],
    as_json: AsJson = False,
) -> None:
    """From a drawing to the model that read it, its approval, training and data; or from a version both ways."""
    from drawops.registry import lineage

    result = lineage(_registry().settings, subject)
    if as_json:
        print_json(result)
    else:
        console().print(_version_tree(result) if result["kind"] == "version" else _drawing_tree(result))


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False, as_json: AsJson = False
) -> None:
    """Take over what people decide in the MLflow UI, and deploy what they approve there, until Ctrl-C.

    Prints every new line of the audit record; with --json one object a line.
    """
    import json
    import logging
    import threading

    from drawops.registry.watch import watch_and_deploy, watch_once

    settings = _registry().settings
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    def on_entry(entry: Any) -> None:
        values = entry.to_dict()
        print(json.dumps(values, ensure_ascii=False) if as_json else _audit_line(values), flush=True)

    if once:
        for entry in watch_once(settings):
            on_entry(entry)
        return
    say(f"watching {settings.model_name} at {settings.mlflow_uri}; stop with Ctrl-C")
    stop = threading.Event()
    try:
        watch_and_deploy(settings, stop, on_entry)
    except KeyboardInterrupt:
        stop.set()
        say("stopped")


def _registry(target: str = "") -> "ModelRegistry":
    """The registry of the home, the base model in it; `target` goes over that of the settings."""
    from drawops.registry import ModelRegistry

    settings = writing_settings()
    if target:
        from drawops.settings import load_settings

        settings = load_settings(settings.home, target=target)
    registry = ModelRegistry(settings)
    if not registry.standing().champion:
        registry.ensure_base()
    return registry


def _deploy(registry: "ModelRegistry", label: str, by: str, why: str) -> list[str]:
    from drawops.registry.models import deployment

    return list(deployment()(label, registry.settings, by=by, why=why).servers)


def _print_version(version: "ModelVersion", as_json: bool, servers: list[str] | None = None) -> None:
    if as_json:
        print_json({**version.to_dict(), "servers": servers})
        return
    where = "" if servers is None else f", served by {', '.join(servers)}" if servers else ", no server is running"
    print(f"{version.label} is {version.status}{where}")


def _print_ui(page: str, how: str, as_json: bool) -> None:
    if as_json:
        print_json({"url": page})
    else:
        print(f"{page}\n\n{how}", flush=True)


def _print_audit(entries: Any) -> None:
    for values in entries:
        print(_audit_line(values))


def _audit_line(values: dict[str, Any]) -> str:
    change = f"{values['from'] or '·'} -> {values['to'] or '·'}"
    return (
        f"{values['n']:>4}  {values['time'][:19]}Z  {values['subject']}  {values['action']}: {change}"
        f"  by {values['who']} ({values['source']}): {values['why']}"
    )


def _drawing_tree(result: dict[str, Any]) -> "Tree":
    from rich.markup import escape
    from rich.tree import Tree

    root = Tree("drawing")
    for drawing in result["drawings"]:
        branch = root.add(f"[bold]{escape(drawing['name'])}[/]  sha256 {drawing['sha256'][:12]}")
        for reading in drawing["readings"]:
            branch.add(
                f"read by [bold]{reading['model']}[/] at {reading['time'][:19]}Z for {escape(reading['caller'])} "
                f"({reading['source']}): {reading['line_count']} lines"
            )
        for dataset in drawing["datasets"]:
            branch.add(f"in dataset {escape(dataset['ref'])} ({dataset['split']}, labels: {dataset['label_source']})")
    for node in result["models"]:
        _add_version(root, node)
    return root


def _version_tree(result: dict[str, Any]) -> "Tree":
    from rich.markup import escape
    from rich.tree import Tree

    root = Tree("model version")
    _add_version(root, result)
    readings = root.add(f"read {len(result['readings'])} drawings")
    for reading in result["readings"][-20:]:
        readings.add(f"{escape(reading['name'])}  {reading['time'][:19]}Z  for {escape(reading['caller'])}")
    return root


def _add_version(tree: "Tree", node: dict[str, Any]) -> None:
    from rich.markup import escape

    if "missing" in node:
        tree.add(f"[bold]{node['label']}[/]  {escape(node['missing'])}")
        return
    branch = tree.add(f"[bold]{node['label']}[/]  {node['status']}, {node['mode']}")
    if (approval := node["approval"]) is not None:
        branch.add(
            f"{approval['decision']} by {escape(approval['by'])} at {approval['time'][:19]}Z: "
            f"{escape(approval['why'])} (audit line {approval['audit_line']})"
        )
    for period in node["served"]:
        until = f"{period['until'][:19]}Z" if period["until"] else "now"
        branch.add(f"served {period['since'][:19]}Z to {until}")
    if (run := node["training_run"]) is not None:
        branch.add(f"MLflow run {run['run_id']}  {escape(run.get('name') or run.get('missing') or '')}")
    if (dataset := node["dataset"]) is not None:
        _add_dataset(branch, dataset)
    if node["base"] is not None:
        _add_version(branch.add("grown from"), node["base"])


def _add_dataset(tree: "Tree", dataset: dict[str, Any]) -> None:
    from rich.markup import escape

    if "missing" in dataset:
        tree.add(f"dataset {escape(dataset['ref'])}: {escape(dataset['missing'])}")
        return
    sources = ", ".join(f"{count} {source}" for source, count in dataset["label_sources"].items())
    branch = tree.add(
        f"dataset [bold]{escape(dataset['ref'])}[/]  labels of {len(dataset['drawings'])} drawings: {sources}"
    )
    for drawing in dataset["drawings"][:20]:
        branch.add(
            f"{escape(drawing['name'])}  {drawing['split']}, {drawing['label_source']}, {drawing['lines']} lines"
        )
    if len(dataset["drawings"]) > 20:
        branch.add(f"… and {len(dataset['drawings']) - 20} more (--json lists all)")


def _trained(version: "ModelVersion") -> str:
    return f"{version.mode} from {version.base}" if version.base else version.mode


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"
