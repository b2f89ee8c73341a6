"""Command: lineage."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import AsJson, console, opened_registry, print_json

if TYPE_CHECKING:
    from rich.tree import Tree


def add_to(app: typer.Typer) -> None:
    app.command()(lineage)


def lineage(
    subject: Annotated[str, typer.Argument(metavar="DRAWING|VERSION", help="File, name or sha256; or a version.")],
    as_json: AsJson = False,
) -> None:
    """From a drawing to the model that read it, its approval, training and data; or from a version both ways."""
    from drawops.registry import lineage

    result = lineage(opened_registry().settings, subject)
    if as_json:
        print_json(result)
    else:
        console().print(_version_tree(result) if result["kind"] == "version" else _drawing_tree(result))


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
