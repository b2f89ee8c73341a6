"""The registry over real MLflow: labels, decisions, deployment, rollback, and what a kill leaves behind."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawops.errors import ForbiddenTransition, InputRefused, NotFound, Unavailable
from drawops.evaluation.results import Estimate, EvaluationReport, ModelSummary, Scores, SetResult
from drawops.files import sha256_of
from drawops.ocr.drawing_model import write_drawing_model
from drawops.registry import ModelRegistry, ModelVersion
from drawops.registry.audit import AuditLog
from drawops.settings import Settings

Register = Callable[..., ModelVersion]


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def kill_at(target: Any, method: str, monkeypatch: pytest.MonkeyPatch, *, call: int = 1) -> None:
    """The process dies when `method` is called for the `call`-th time."""
    real, calls = getattr(target, method), [0]

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            monkeypatch.undo()
            raise Killed
        return real(*args, **kwargs)

    monkeypatch.setattr(target, method, dying)


def pointed(registry: ModelRegistry) -> dict[str, str]:
    """MLflow's own aliases."""
    by_number = {v.version: v.label for v in registry.list()}
    aliases = registry.client.get_registered_model(registry.name).aliases
    return {alias: by_number[int(number)] for alias, number in aliases.items()}


def evaluation(*, champion: float, candidate: float, lost: int, gained: int) -> EvaluationReport:
    """A report over 100 lines of drawings."""

    def scores(exact: float) -> Scores:
        return Scores(exact=Estimate(value=exact), cer=Estimate(value=1 - exact), exact_lines=round(100 * exact))

    drawings = SetResult(
        name="drawings",
        title="Test drawings",
        origin="test drawings",
        synthetic=False,
        sha256="0",
        lines=100,
        clusters=10,
        cluster_unit="drawing",
        champion=scores(champion),
        candidate=scores(candidate),
        exact_difference=Estimate(value=candidate - champion),
        cer_difference=Estimate(value=champion - candidate),
        p=0.01,
        outcomes={"lost": lost, "gained": gained},
        symbols=[],
        changed=[],
        worst=[],
    )
    model = ModelSummary(label="v1.0", sha256="0", classes=10)
    return EvaluationReport(candidate=model, champion=model, sets=[drawings], notes=["The general set was not asked."])


# ---- the base model --------------------------------------------------------------------------------------------


def test_a_fresh_home_serves_the_model_that_drawops_comes_with(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drawops.registry.register.write_drawing_model", write_drawing_model)
    registry = ModelRegistry(settings)
    base = registry.ensure_base()
    assert (base.label, base.status, base.mode, base.aliases) == ("v1.0", "Deployed", "base", ("champion",))
    assert registry.get("champion") == base
    ours = write_drawing_model(tmp_path / "ours")
    assert sha256_of(registry.fetch("champion") / "inference.onnx") == sha256_of(ours / "inference.onnx")
    assert registry.audit.entries()[0].who == "drawops (base model)"
    assert registry.verify() == []


def test_the_base_is_registered_once(registry: ModelRegistry, settings: Settings) -> None:
    again = ModelRegistry(settings).ensure_base()
    assert (again.version, len(registry.list()), len(registry.audit.entries())) == (1, 1, 1)


@pytest.mark.parametrize(
    ("owner", "method"), [("client", "create_model_version"), ("audit", "append"), ("client", "set_model_version_tag")]
)
def test_a_kill_while_the_base_is_registered_leaves_no_half(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, owner: str, method: str
) -> None:
    registry = ModelRegistry(settings)
    kill_at(getattr(registry, owner), method, monkeypatch)
    with pytest.raises(Killed):
        registry.ensure_base()
    after = ModelRegistry(settings)
    assert after.ensure_base().status == "Deployed"
    assert (len(after.list()), len(after.audit.entries()), after.verify()) == (1, 1, [])
    assert pointed(after) == {"champion": "v1.0"}


# ---- registration and labels -----------------------------------------------------------------------------------


def test_a_candidate_that_passed_waits_for_a_person(registry: ModelRegistry, candidate: Register) -> None:
    version = candidate()
    assert (version.label, version.status, version.base, version.aliases) == ("v1.1", "Pending", "v1.0", ("candidate",))
    assert (version.trained_by, version.dataset, version.metrics) == (
        "王芳", "阀门@0123456789ab", {"drawings_exact": 0.97}
    )  # fmt: skip
    assert json.loads((registry.fetch("v1.1") / "model.json").read_text(encoding="utf-8"))["label"] == "v1.1"
    assert registry.resolve("champion") == "v1.0"


def test_a_candidate_that_failed_is_rejected_by_the_gate(registry: ModelRegistry, candidate: Register) -> None:
    version = candidate(passed=False)
    line = registry.audit.last("v1.1")
    assert (version.status, version.aliases) == ("Rejected", ())
    assert line and (line.who, line.to, line.why) == ("gate", "Rejected", "reads ⌀ in 98 of 98 lines")


def test_everything_to_judge_a_version_by_is_in_mlflow(
    registry: ModelRegistry, candidate: Register, tmp_path: Path
) -> None:
    report, pictures = tmp_path / "report.html", tmp_path / "bilder 图"
    report.write_text("<p>⌀</p>", encoding="utf-8")
    pictures.mkdir()
    (pictures / "vorher.png").write_bytes(b"png")
    version = candidate(artifacts=[report, pictures], parameters={"epochs": 30}, passed=False)
    run = registry.client.get_run(version.run_id)
    files = {f.path for f in registry.client.list_artifacts(version.run_id)}
    assert run.data.params == {"mode": "incremental", "base": "v1.0", "dataset": "阀门@0123456789ab", "epochs": "30"}
    assert files >= {"model", "report.html", "bilder 图", "verdict.json", "evaluation.json"}
    card = registry.client.get_model_version(registry.name, str(version.version)).description
    assert "reads ⌀ in 98 of 98 lines" in card and "does not pass the gate" in card and "approval_reason" in card


def test_an_evaluation_report_becomes_metrics_and_a_table_on_the_version_page(
    registry: ModelRegistry, candidate: Register
) -> None:
    report = evaluation(champion=0.5, candidate=0.9, lost=1, gained=41)
    version = candidate(report=report)
    assert version.metrics["drawings_exact"] == 0.9
    assert version.metrics["drawings_exact_gain"] == pytest.approx(0.4)
    card = registry.client.get_model_version(registry.name, str(version.version)).description
    assert "| Test drawings | 100 | 50.0 % | 90.0 % | 1 | 41 |" in card
    assert "The general set was not asked." in card


def test_labels_follow_the_line_of_their_base(candidate: Register) -> None:
    labels = [candidate(), candidate(base="v1.1"), candidate(mode="full"), candidate(base="v2.0"), candidate()]
    assert [v.label for v in labels] == ["v1.1", "v1.2", "v2.0", "v2.1", "v1.3"]


def test_a_label_is_not_used_again_after_its_version_was_deleted(registry: ModelRegistry, candidate: Register) -> None:
    registry.client.delete_model_version(registry.name, str(candidate().version))
    assert candidate().label == "v1.2"
    assert registry.verify() == ["v1.1: is Pending in the audit record, but MLflow no longer has it"]
    with pytest.raises(NotFound, match="It was deleted in MLflow"):
        registry.get("v1.1")


@pytest.mark.slow
def test_processes_that_register_at_the_same_time_get_different_labels(
    registry: ModelRegistry, settings: Settings, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "inference.onnx").write_bytes(b"x")
    code = (
        "import sys; from pathlib import Path\n"
        "from drawops.registry import ModelRegistry; from drawops.settings import Settings\n"
        "registry = ModelRegistry(Settings(home=Path(sys.argv[1])))\n"
        "print(*(registry.register(Path(sys.argv[2]), mode='incremental', base='v1.0', dataset='d@1').label\n"
        "        for _ in range(4)))"
    )
    command = [sys.executable, "-c", code, str(settings.home), str(model)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    labels = " ".join(process.communicate(timeout=120)[0] for process in running).split()
    assert sorted(labels) == [f"v1.{n}" for n in range(1, 9)]
    assert registry.verify() == []


def test_a_training_run_becomes_one_version_only(registry: ModelRegistry, candidate: Register) -> None:
    first = candidate()
    assert candidate(run_id=first.run_id) == first
    assert len(registry.list()) == 2


@pytest.mark.parametrize(
    ("owner", "method"), [("client", "create_model_version"), ("audit", "append"), ("client", "set_model_version_tag")]
)
@pytest.mark.parametrize("passed", [True, False])
def test_a_kill_while_a_candidate_is_registered_leaves_no_half(
    registry: ModelRegistry,
    candidate: Register,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
    method: str,
    passed: bool,
) -> None:
    kill_at(getattr(registry, owner), method, monkeypatch)
    with pytest.raises(Killed):
        candidate(passed=passed)
    after = ModelRegistry(settings)
    after.reconcile()
    trained = [v for v in after.list() if v.label != "v1.0"]
    assert [v.status for v in trained] == (
        [] if method == "create_model_version" else ["Pending" if passed else "Rejected"]
    )
    assert after.verify() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "quick"}, "must be 'incremental' or 'full'"),
        ({"base": "v7.7"}, "No model version 'v7.7'"),
        ({"base": "base"}, "stock PP-OCRv6"),
        ({"base": "chamion"}, "Did you mean 'champion'"),
    ],
)
def test_a_wrong_registration_is_refused_and_writes_nothing(
    registry: ModelRegistry, candidate: Register, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises((InputRefused, NotFound), match=message):
        candidate(**arguments)
    assert (len(registry.list()), len(registry.audit.entries())) == (1, 1)


# ---- decisions -------------------------------------------------------------------------------------------------


def test_a_person_approves_and_the_record_says_who_and_why(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    version = registry.approve("candidate", by=" 李伟 ", why="reads our GD&T frames")
    line = registry.audit.last("v1.1")
    assert (version.status, version.approved_by, version.approval_reason) == (
        "Approved",
        "李伟",
        "reads our GD&T frames",
    )
    assert line and (line.who, line.from_, line.to, line.why, line.source) == (
        "李伟", "Pending", "Approved", "reads our GD&T frames", "cli"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("by", "why", "missing"), [("", "good", "nobody is named"), ("李伟", "  ", "no reason is given")]
)
def test_a_decision_needs_a_name_and_a_reason(
    registry: ModelRegistry, candidate: Register, by: str, why: str, missing: str
) -> None:
    candidate()
    for decide in (registry.approve, registry.reject):
        with pytest.raises(InputRefused, match=missing):
            decide("v1.1", by=by, why=why)
    assert registry.get("v1.1").status == "Pending"


def test_what_the_gate_rejected_can_neither_be_approved_nor_deployed(
    registry: ModelRegistry, candidate: Register
) -> None:
    candidate(passed=False)
    for wish in (registry.approve, registry.mark_deployed):
        with pytest.raises(ForbiddenTransition, match="is Rejected .* train a new version"):
            wish("v1.1", by="李伟", why="please")
    with pytest.raises(ForbiddenTransition):
        registry.check_deployable("v1.1")
    assert (registry.get("v1.1").status, registry.verify()) == ("Rejected", [])


def test_an_unapproved_version_is_not_deployed(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    with pytest.raises(ForbiddenTransition, match="Possible now: approve it"):
        registry.mark_deployed("v1.1", by="李伟", why="in a hurry")
    assert registry.resolve("champion") == "v1.0"


def test_an_approval_can_be_taken_back_before_it_served(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    registry.approve("v1.1", by="李伟", why="good")
    assert registry.reject("v1.1", by="王芳", why="missed a frame").approved_by == "王芳"
    assert registry.verify() == []


# ---- deployment ------------------------------------------------------------------------------------------------


def deploy(registry: ModelRegistry, label: str) -> ModelVersion:
    registry.approve(label, by="李伟", why="good")
    return registry.mark_deployed(label, by="李伟", why="good")


def test_a_deployment_moves_champion_and_archives_the_one_before(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    assert deploy(registry, "v1.1").aliases == ("champion",)
    assert registry.get("v1.0").status == "Archived"
    assert pointed(registry) == {"champion": "v1.1", "previous": "v1.0"}
    assert registry.fetch("champion") == registry.fetch("v1.1")


def test_deploying_what_serves_already_records_nothing(registry: ModelRegistry) -> None:
    registry.mark_deployed("v1.0", by="李伟", why="again")
    assert len(registry.audit.entries()) == 1


def test_rollback_deploys_the_version_before_in_the_same_way(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    deploy(registry, "v1.1")
    deployed: list[str] = []

    def deployment(label: str, settings: Settings, *, by: str, why: str) -> None:
        deployed.append(label)
        ModelRegistry(settings).mark_deployed(label, by=by, why=why)

    assert registry.rollback("李伟", "reads 6 as 8", deploy=deployment).label == "v1.0"
    assert deployed == ["v1.0"]
    assert pointed(registry) == {"champion": "v1.0"}
    assert [(p["label"], p["why"]) for p in registry.history()] == [
        ("v1.0", "comes with DrawOps"),
        ("v1.1", "good"),
        ("v1.0", "rollback: reads 6 as 8"),
    ]
    since = [p["since"] for p in registry.history()]
    assert [p["until"] for p in registry.history()] == [*since[1:], ""]
    assert registry.verify() == []


def test_a_second_rollback_goes_further_back_and_never_to_what_was_withdrawn(
    registry: ModelRegistry, candidate: Register
) -> None:
    def deployment(label: str, settings: Settings, *, by: str, why: str) -> None:
        ModelRegistry(settings).mark_deployed(label, by=by, why=why)

    for label in ("v1.1", "v1.2"):
        candidate()
        deploy(registry, label)
    assert registry.rollback("李伟", "reads 6 as 8", deploy=deployment).label == "v1.1"
    assert pointed(registry) == {"champion": "v1.1", "previous": "v1.0"}
    assert registry.rollback("李伟", "still does", deploy=deployment).label == "v1.0"
    with pytest.raises(NotFound, match="model deploy V"):
        registry.rollback("李伟", "once more", deploy=deployment)
    deploy_again = registry.mark_deployed("v1.2", by="李伟", why="the font was at fault")
    assert deploy_again.status == "Deployed"
    assert pointed(registry) == {"champion": "v1.2", "previous": "v1.0"}
    assert registry.verify() == []


@pytest.mark.parametrize("passed", [True, False])
def test_a_version_and_its_audit_line_name_the_gate_that_judged(
    registry: ModelRegistry, tmp_path: Path, passed: bool
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "inference.onnx").write_bytes(b"not looked into here")
    verdict = {"gate": "strict", "passed": passed, "reasons": ["✓ no symbol is lost"]}
    version = registry.register(folder, mode="incremental", base="v1.0", dataset="d@0", verdict=verdict)
    assert version.gate_name == "strict"
    line = registry.audit.entries(version.label)[0]
    assert "gate strict" in f"{line.who}: {line.why}"


def test_a_rollback_without_anything_before_says_so(registry: ModelRegistry) -> None:
    with pytest.raises(NotFound, match="Nothing was deployed before"):
        registry.rollback("李伟", "why not")


@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_in_a_deployment_is_finished_by_the_next_command(
    registry: ModelRegistry, candidate: Register, settings: Settings, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Call 1 dies before the record has the deployment, call 2 between its two lines."""
    candidate()
    registry.approve("v1.1", by="李伟", why="good")
    kill_at(registry.audit, "append", monkeypatch, call=call)
    with pytest.raises(Killed):
        registry.mark_deployed("v1.1", by="李伟", why="good")
    after = ModelRegistry(settings)
    after.reconcile()
    expected = {"v1.0": "Deployed", "v1.1": "Approved"} if call == 1 else {"v1.0": "Archived", "v1.1": "Deployed"}
    assert {v.label: v.status for v in after.list()} == expected
    assert after.verify() == []


def test_two_versions_are_compared_metric_by_metric(registry: ModelRegistry, candidate: Register) -> None:
    candidate(report={"exact": 0.5, "cer": 0.2})
    candidate(report={"exact": 0.75})
    metrics = registry.compare("v1.1", "v1.2")["metrics"]
    assert metrics == {
        "cer": {"v1.1": 0.2, "v1.2": None, "change": None},
        "exact": {"v1.1": 0.5, "v1.2": 0.75, "change": 0.25},
    }


def test_threads_change_the_registry_one_after_the_other(registry: ModelRegistry, settings: Settings) -> None:
    inside, most = [], []

    def change() -> None:
        other = ModelRegistry(settings)
        for _ in range(20):
            with other.locked(), other.locked():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (80, 1)


# ---- names and files -------------------------------------------------------------------------------------------


def test_an_unknown_name_gets_the_nearest_known_one(registry: ModelRegistry) -> None:
    with pytest.raises(NotFound, match="Did you mean 'champion'"):
        registry.get("chmpion")
    with pytest.raises(NotFound, match="No version waits for approval"):
        registry.get("candidate")


def test_the_champion_is_found_without_mlflow(settings: Settings, registry: ModelRegistry) -> None:
    registry.fetch("champion")
    code = (
        "import sys; from pathlib import Path\n"
        "from drawops.registry import ModelRegistry; from drawops.settings import Settings\n"
        "print(ModelRegistry(Settings(home=Path(sys.argv[1]))).fetch('champion'), 'mlflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(settings.home)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"{registry.fetch('champion')} False"


def test_missing_files_are_named(registry: ModelRegistry) -> None:
    folder = registry.fetch("v1.0")
    (folder / "inference.onnx").unlink()
    with pytest.raises(NotFound, match="The files of v1.0 are gone"):
        registry.fetch("v1.0")


def test_an_mlflow_that_does_not_answer_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, mlflow="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="http://127.0.0.1:9 does not answer.*DRAWOPS_MLFLOW"):
        ModelRegistry(settings).list()


def test_a_damaged_mlflow_database_is_named(settings: Settings) -> None:
    (settings.home / "mlflow.db").write_text("this is a text of some length and not a database " * 20, encoding="utf-8")
    with pytest.raises(Unavailable, match="mlflow.db does not answer: file is not a database"):
        ModelRegistry(settings).list()


# ---- verify ----------------------------------------------------------------------------------------------------


def test_verify_names_what_was_changed_behind_its_back(
    registry: ModelRegistry, candidate: Register, in_ui: Callable[..., None]
) -> None:
    candidate()
    registry.approve("v1.1", by="李伟", why="good")
    in_ui("v1.1", approved_by="王芳")
    (registry.fetch("v1.1") / "inference.onnx").write_bytes(b"another model")
    registry.client.create_model_version(registry.name, source="file:///tmp")
    problems = "\n".join(registry.verify())
    assert "v1.1: approved_by is '王芳' in MLflow, but '李伟' in the audit record" in problems
    assert "is not the file that was registered" in problems
    assert "version 3 of drawing-ocr in MLflow was not registered by DrawOps" in problems


def test_verify_sees_a_status_without_an_audit_line(
    registry: ModelRegistry, candidate: Register, in_ui: Callable[..., None]
) -> None:
    candidate()
    in_ui("v1.1", approval_status="Deployed")
    assert registry.verify()[0].startswith("v1.1: is Deployed in MLflow, but Pending in the audit record (line 2)")


def test_verify_sees_a_record_that_was_replaced_as_a_whole(registry: ModelRegistry, candidate: Register) -> None:
    candidate()
    registry.approve("v1.1", by="李伟", why="good")
    entries = registry.audit.entries()
    registry.audit.path.unlink()
    registry.audit.head_path.unlink()
    forged = AuditLog(registry.audit.path)
    for e in entries:
        who = "王芳" if e.who == "李伟" else e.who
        forged.append(who, e.action, e.subject, e.from_, e.to, e.why, source=e.source, details=e.details)
    assert forged.verify() == []
    assert any("MLflow shows an audit line" in problem for problem in registry.verify())
