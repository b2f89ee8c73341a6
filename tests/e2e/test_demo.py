"""The demo, small: with a gate that fails and with one that passes."""

from pathlib import Path

import pytest

from drawops.demo.loop import UNATTENDED, Plan, run_demo
from drawops.drawings.synth import generate
from drawops.registry import ModelRegistry
from drawops.settings import Settings

pytestmark = pytest.mark.slow

IMPOSSIBLE = """
drawings: {min_gain_points: 90, min_lines: 1}
general: {max_loss_points: 60, min_lines: 40}
"""
EASY = """
drawings: {min_gain_points: -30, min_lines: 1}
general: {max_loss_points: 60, min_lines: 40}
"""


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("我的 图纸")
    generate(folder, drawings=4, seed=3)
    return folder


def test_a_failed_gate_stops_the_demo_and_a_passed_one_leads_to_a_report_of_it_all(
    home: Settings, drawings: Path, tmp_path: Path
) -> None:
    def plan(gate: str) -> Plan:
        file = tmp_path / "gate.yaml"
        file.write_text(gate, encoding="utf-8")
        small = {"epochs": 3, "generated": 40, "general_lines": 40, "generated_test_lines": 20}
        return Plan(shown=1, parameters={**small, "gate": str(file)})

    said: list[str] = []
    stopped = run_demo(home, drawings, plan=plan(IMPOSSIBLE), say=said.append)
    assert not stopped.passed
    assert (stopped.version.status, stopped.serving) == ("Rejected", "v1.0")
    assert ModelRegistry(home).get("champion").label == "v1.0"
    assert any("is rejected; v1.0 goes on serving" in line for line in said)
    page = stopped.report.read_text(encoding="utf-8")
    assert "The demo stopped at the gate" in page

    story = run_demo(home, drawings, plan=plan(EASY))
    assert story.passed, story.run.outputs["reasons"]
    assert {s.name: s.status for s in story.run.steps}["train-incremental"] == "reused"  # only the gate is another
    version = ModelRegistry(home).get("champion")
    assert (version.label, version.status, version.approved_by) == (story.serving, "Deployed", UNATTENDED)
    page = story.report.read_text(encoding="utf-8")
    for part in (UNATTENDED, story.version.label, story.dataset.ref, story.drawings[0].name, "data:image/"):
        assert part in page
    assert "http://" not in page.replace("http://www.w3.org/", "") and "https://" not in page
    assert len(story.similar) == 3 and all(query.hits for query in story.similar)
    assert ModelRegistry(home).verify() == []
