"""The loop, hop by hop, each one the same call that a user would make."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.demo.readings import compared_pages
from drawops.drawings import find_files, open_drawing
from drawops.drawings.synth import generate
from drawops.errors import InputRefused
from drawops.evaluation.report_data import ReadDrawing, SimilarHit, SimilarQuery, picture
from drawops.evaluation.verdicts import verdict_words
from drawops.files import sha256_of
from drawops.runners import open_runner, submit
from drawops.serving.servers import call, key_for
from drawops.settings import Settings, prepare_home

if TYPE_CHECKING:
    from drawops.datasets import DatasetVersion
    from drawops.registry import ModelVersion
    from drawops.runners import Run
    from drawops.runners.protocol import RunRecord

UNATTENDED = "demo (unattended)"
GENERATED, OWN = "demo", "own"  # names of the datasets
OWN_MARK = "⬡"  # what the demo's plant puts before a dimension that it inspects; v1.0 does not know it
SHOWN_PAGES = 2  # of a drawing that is read before and after; many pages take long
QUERIES = 3
HITS = 5


@dataclass(frozen=True)
class Plan:
    """How large the demo is."""

    drawings: int = 16
    seed: int = 7
    shown: int = 3
    """Drawings that are read before and after."""
    parameters: dict[str, Any] = field(default_factory=lambda: {"epochs": 10, "generated": 600, "new_to_old": 0.5})
    """Parameters of the pipeline `incremental`; these fit the loop into six minutes on two cores."""


@dataclass(frozen=True)
class Approver:
    name: str
    why: str


@dataclass
class Story:
    """What happened, for the report."""

    folder: Path
    drawings_folder: Path
    own_drawings: bool
    refused: list[tuple[str, str]] = field(default_factory=list)
    champion: str = ""
    """The version that served before."""
    dataset: "DatasetVersion" = field(init=False)
    run: "RunRecord" = field(init=False)
    version: "ModelVersion" = field(init=False)
    passed: bool = False
    serving: str = ""
    drawings: list[ReadDrawing] = field(default_factory=list)
    similar: list[SimilarQuery] = field(default_factory=list)
    report: Path = Path()


Say = Callable[[str], None]
Follow = Callable[["Run"], "Run"]
AskApprover = Callable[["ModelVersion"], Approver]


def run_demo(
    settings: Settings,
    drawings: Path | None = None,
    *,
    plan: Plan | None = None,
    ask: AskApprover | None = None,
    say: Say = lambda text: None,
    follow: Follow = lambda run: run.wait(),
) -> Story:
    """Walk the loop and write the report.

    Args:
        drawings: a folder of drawings; None draws some.
        ask: who approves, asked when the gate has passed; None records `demo (unattended)`.
        say: told what happens, a line each.
        follow: waits for a pipeline run, showing its progress.
    Returns:
        The story; `story.report` is the HTML file. When the gate failed, the old version still serves.
    """
    from drawops.demo.meter import Meter
    from drawops.demo.report import write_demo_report
    from drawops.registry import ModelRegistry
    from drawops.serving.process import server_process

    plan = plan or Plan()
    prepare_home(settings)
    number, folder = _next_folder(settings)
    story = Story(folder, drawings or folder / "drawings", own_drawings=drawings is not None)
    with Meter() as meter, ExitStack() as stack:

        @contextmanager
        def step(name: str) -> Iterator[None]:
            say(name)
            with meter.step(name):
                yield

        if drawings is None:
            with step(f"Draw {plan.drawings} parts"):
                generate(story.drawings_folder, drawings=plan.drawings, seed=plan.seed + number, mark=OWN_MARK)
        with step("Ingest: the drawings become a dataset version"):
            _ingest(story, settings)
        _tell_dataset(story, say)
        with step("Register the model that DrawOps comes with, start a server"):
            story.champion = ModelRegistry(settings).ensure_base().label
            url = stack.enter_context(server_process(settings))
            key = key_for(settings, url)
            story.champion = call("GET", f"{url}/v1/model", key=key)["label"]
        with step(f"Read drawings with {story.champion}, and with the stock recogniser for comparison"):
            before = {path: _read(url, key, path) for path in _shown(story)[: plan.shown]}
            stock = _read_with_stock(list(before), settings)
        with step("Train, evaluate, judge, register (pipeline)"):
            _train(story, settings, plan, follow)
        _tell_verdict(story, say)
        story.serving = story.champion
        if story.passed:
            approver = ask(story.version) if ask else Approver(UNATTENDED, "The gate passed.")
            with step(f"{story.version.label} is approved by {approver.name} and deployed"):
                _approve(story, settings, approver)
            story.serving = call("GET", f"{url}/v1/model", key=key)["label"]
            with step(f"Read the drawings with {story.serving}"):
                _compare(story, stock, before, {path: _read(url, key, path) for path in before})
            with step("Embed every drawing's shape (pipeline)"):
                follow(_submit("similarity", settings, dataset=story.dataset.ref))
            with step("Find similar parts"):
                _find_similar(story, url, key)
        say("Write the report")
        story.report = write_demo_report(folder / "report.html", story, settings, meter)
    return story


def _next_folder(settings: Settings) -> tuple[int, Path]:
    """The folder of an unfinished demo, else a new one: each finished demo brings new drawings to the same home."""
    number = 0
    while (folder := settings.home / "demo" / str(number + 1)).joinpath("report.html").exists():
        number += 1
    folder.mkdir(parents=True, exist_ok=True)
    return number, folder


def _ingest(story: Story, settings: Settings) -> None:
    from drawops.datasets.ingest import ingest

    name = OWN if story.own_drawings else GENERATED
    result = ingest([story.drawings_folder], name, settings=settings)
    story.refused = [(r.file, r.reason) for r in result.refused]
    if result.version is None:
        reasons = "; ".join(f"{file}: {reason}" for file, reason in story.refused[:3]) or "it holds no drawing"
        raise InputRefused(str(story.drawings_folder), f"no drawing could be used ({reasons})")
    story.dataset = result.version


def _shown(story: Story) -> list[Path]:
    """Drawings for the report: those of the test split first, each family once as far as it goes."""
    files = {sha256_of(path): path for path in find_files([story.drawings_folder])}
    order = {"test": 0, "val": 1, "train": 2}
    here = [d for d in story.dataset.drawings if d.sha256 in files]
    here.sort(key=lambda d: (len(d.pages) > SHOWN_PAGES, order[d.split], d.name))
    of_family = {d.family or d.sha256: d for d in reversed(here)}
    first = [d for d in here if d in of_family.values()]
    chosen = [*first, *(d for d in here if d not in first)]
    return [files[d.sha256] for d in chosen]


def _read(url: str, key: str, path: Path) -> dict[str, Any]:
    """What the server reads in the picture, not knowing the file's own text."""
    with path.open("rb") as stream:
        form = {"vector_text": "false", "caller": "drawops demo"}
        files = {"file": (path.name, stream)}
        return call("POST", f"{url}/v1/read", key=key, files=files, data=form, timeout_s=300)


def _read_with_stock(paths: list[Path], settings: Settings) -> dict[Path, dict[str, Any]]:
    """What PP-OCRv6 reads as it is, before anybody taught it drawings."""
    from drawops.ocr import read_file
    from drawops.reading import open_model

    label, reader = open_model("base", settings)
    return {path: read_file(path, reader, model=label, use_vector_text=False) for path in paths}


def _train(story: Story, settings: Settings, plan: Plan, follow: Follow) -> None:
    from drawops.registry import ModelRegistry

    run = follow(_submit("incremental", settings, dataset=story.dataset.ref, **plan.parameters))
    story.run = run.record
    story.version = ModelRegistry(settings).get(story.run.outputs["version"])
    story.passed = story.run.outputs["verdict"] == "passed"


def _submit(name: str, settings: Settings, **parameters: Any) -> "Run":
    """A run that ends with the demo, also when that is killed."""
    return submit(name, runner=open_runner("local", settings, tied=True), settings=settings, **parameters)


def _approve(story: Story, settings: Settings, approver: Approver) -> None:
    from drawops.registry import ModelRegistry
    from drawops.runners.deployment import deploy

    registry = ModelRegistry(settings)
    registry.approve(story.version.label, by=approver.name, why=approver.why, source="demo")
    deploy(story.version.label, settings, by=approver.name, why=approver.why)
    story.version = registry.get(story.version.label)


def _compare(
    story: Story,
    stock: dict[Path, dict[str, Any]],
    before: dict[Path, dict[str, Any]],
    after: dict[Path, dict[str, Any]],
) -> None:
    labelled = {d.sha256: d for d in story.dataset.drawings}
    for path, reading in before.items():
        drawing = labelled.get(sha256_of(path))
        story.drawings += compared_pages(path, stock[path], reading, after[path], drawing.pages if drawing else ())


def _find_similar(story: Story, url: str, key: str) -> None:
    families = {d.name: d.family for d in story.dataset.drawings}
    for path in _shown(story)[:QUERIES]:
        with path.open("rb") as stream:
            form = {"k": str(HITS + 1)}
            files = {"file": (path.name, stream)}
            hits = call("POST", f"{url}/v1/similar", key=key, files=files, data=form)["hits"]
        others = [hit for hit in hits if hit["name"] != path.name][:HITS]
        story.similar.append(
            SimilarQuery(
                name=path.name,
                family=families.get(path.name, ""),
                picture=_first_page(path),
                hits=[
                    SimilarHit(
                        name=hit["name"],
                        score=hit["score"],
                        picture=hit.get("thumbnail", ""),
                        family=hit["metadata"].get("family", ""),
                    )
                    for hit in others
                ],
            )
        )


def _first_page(path: Path) -> str:
    with open_drawing(path) as drawing:
        return picture(drawing.page(0).image, max_side=400)


def _tell_dataset(story: Story, say: Say) -> None:
    counts = story.dataset.counts()["all"]
    say(f"  {story.dataset.ref}: {counts['drawings']} drawings, {counts['lines']} labelled lines")
    for file, reason in story.refused:
        say(f"  refused {file}: {reason}")


def _tell_verdict(story: Story, say: Say) -> None:
    say(f"  {story.version.label} {verdict_words(story.passed, story.run.outputs['reasons'])}")
    for reason in story.run.outputs["reasons"]:
        say(f"  {reason}")
    if not story.passed:
        say(f"  {story.version.label} is rejected; {story.champion} goes on serving")
