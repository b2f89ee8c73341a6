"""Training the text detector: what it learns from, the loss, a kill, and which detector reads afterwards."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import InputRefused, NotFound, SettingsError
from drawops.evaluation.detection import Found, found_gain, found_on_page
from drawops.ocr.boxes import Box
from drawops.ocr.detector import boxes_of
from drawops.ocr.detectors import detector_versions, find_detector, folder_of, use_detector
from drawops.ocr.export import write_tensors
from drawops.ocr.model_files import base_detector, base_recogniser, detector_parts, load_onnx, tensors_of
from drawops.settings import Settings
from drawops.training.config import DetectorConfig
from drawops.training.detector_crops import IGNORED, SIDE, TEXT, Sheet, crops_of, generated_sheets, target_of


def test_boxes_made_of_a_target_are_its_lines_with_the_room_that_the_base_leaves():
    for line in (Box(300, 300, 60, 13, 0), Box(300, 300, 200, 26, 90), Box(300, 300, 150, 20, 30)):
        (box,) = boxes_of(((target_of([line]) == TEXT) * 255).astype(np.uint8))
        assert (box.x, box.y) == pytest.approx((line.x, line.y), abs=1)
        assert box.angle == pytest.approx(line.angle, abs=1)
        for made, labelled in ((box.length, line.length), (box.height, line.height)):
            assert 9 < made - labelled < 19


def test_neighbouring_lines_stay_apart_in_a_target():
    lines = [Box(300, 100 + 20 * i, 200, 13, 0) for i in range(5)]
    assert len(boxes_of(((target_of(lines) == TEXT) * 255).astype(np.uint8))) == 5


def test_lines_too_small_to_be_read_are_neither_learnt_nor_punished():
    target = target_of([Box(300, 300, 60, 4, 0)])
    assert target[300, 300] == IGNORED and not (target == TEXT).any()


def one_line_sheet(*, complete: bool) -> Sheet:
    image = np.full((900, 1200, 3), 255, np.uint8)
    cv2.putText(image, "R 25", (500, 400), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)
    return Sheet(f"one/{complete}", lambda: (image, [Box(540, 390, 80, 24, 0)]), complete)


def test_crops_carry_picture_and_target_alike():
    for crop in crops_of(one_line_sheet(complete=True), 12, seed=0):
        assert crop.image.shape == (SIDE, SIDE, 3) and crop.target.shape == (SIDE, SIDE)
        ink, wanted = crop.image.min(axis=2) < 128, crop.target == TEXT
        if wanted.any():
            assert np.argwhere(wanted).mean(axis=0) == pytest.approx(np.argwhere(ink).mean(axis=0), abs=8)
        else:
            assert ink.sum() < 100, "no text in the target where there is a line"


def test_text_without_a_label_is_ignored_where_people_labelled_only_what_matters_to_them():
    def targets(sheet: Sheet) -> set[int]:
        found = [Box(540, 390, 90, 30, 0), Box(800, 600, 100, 30, 0)]
        return {int(v) for crop in crops_of(sheet, 12, seed=0, find=lambda _: found) for v in np.unique(crop.target)}

    assert IGNORED in targets(one_line_sheet(complete=False))
    assert IGNORED not in targets(one_line_sheet(complete=True))


def test_generated_sheets_are_the_same_each_time_and_differ_by_seed():
    (first,), (again,), (other,) = (generated_sheets(1, seed) for seed in (3, 3, 4))
    assert (first.load()[0] == again.load()[0]).all() and first.key == again.key
    assert first.load()[1] == again.load()[1] != other.load()[1]


def test_the_detector_is_cut_where_its_neck_and_head_begin():
    parts = detector_parts(load_onnx(base_detector()))
    assert len(parts.neck) == len(parts.head) == 4
    with pytest.raises(InputRefused, match="detector"):
        detector_parts(load_onnx(base_recogniser()))


def test_a_line_is_found_once():
    line, elsewhere = Box(100, 100, 80, 20, 0), Box(400, 100, 80, 20, 0)
    found = found_on_page([line, Box(102, 100, 80, 20, 180), elsewhere], [line, Box(100, 300, 80, 20, 90)])
    assert (found.labels, found.boxes, found.pairs) == (2, 3, 1)
    assert (found.recall, found.precision, found.hmean) == (0.5, 1 / 3, 0.4)


def test_a_gain_on_every_page_is_sure_and_one_on_a_few_is_not():
    sure = found_gain([Found(10, 10, 8)] * 6, [Found(10, 10, 9)] * 6)
    assert sure.gain == pytest.approx(0.1) and sure.low > 0
    unsure = found_gain([Found(10, 10, 8)] * 6, [Found(10, 10, 10), *[Found(10, 10, 8)] * 3, *[Found(10, 10, 7)] * 2])
    assert unsure.low < 0 < unsure.high


def test_a_misspelt_parameter_of_the_detector_is_named_with_the_right_one():
    with pytest.raises(SettingsError, match="sheets"):
        DetectorConfig.parse({"shets": "3"})


# --- the loss, and a run that is killed ---


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from drawops.training.detector_task import CropCache

    cache = CropCache(tmp_path_factory.mktemp("裁片"), base_detector(), "head", count=3, seed=1, threads=1)
    (sheet,) = generated_sheets(1, 77)
    files = cache.of(sheet, lambda image: [])
    times = [file.stat().st_mtime_ns for file in files]
    assert [file.stat().st_mtime_ns for file in cache.of(sheet, lambda image: [])] == times, "computed once"
    return files


def test_ignored_pixels_count_for_nothing_and_a_right_map_costs_nothing():
    import paddle

    from drawops.training.detector_task import db_losses

    target = target_of([Box(50, 50, 60, 13, 0)], [Box(50, 90, 60, 8, 0)], side=128)[None]
    logits = np.where(target == TEXT, 20.0, -20.0).astype(np.float32)
    logits[target == IGNORED] = 20.0
    assert sum(float(loss) for loss in db_losses(paddle.to_tensor(logits), target).values()) < 0.01
    assert float(db_losses(paddle.to_tensor(-logits), target)["dice"]) > 0.9


class _Killed(Exception):
    pass


def trained(folder: Path, crops: list[Path], on_progress: Callable[[object], None]) -> tuple[dict, list[dict]]:
    from drawops.training.detector_task import DetectorTask
    from drawops.training.run import Run

    task = DetectorTask(base_detector(), crops, "head")
    indices = np.arange(len(crops))
    run = Run(
        task,
        task.agreement,
        np.ones(len(crops), np.intp),
        indices,
        indices[:0],
        [0],
        DetectorConfig(epochs=3, batch_size=1, learning_rate=2e-3, checkpoint_s=1e-9),
        folder=folder,
        identity="x",
    )
    run.finish(on_progress, None)
    return task.tensors(), run.curve


def test_the_loss_falls_and_a_killed_run_ends_with_the_same_weights(tmp_path: Path, crops: list[Path]):
    whole, curve = trained(tmp_path / "whole", crops, lambda progress: None)
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]
    base = tensors_of(load_onnx(base_detector()))
    assert all((base[name] != value).any() for name, value in whole.items() if value.size > 100)

    def kill(progress: object) -> None:
        if progress.step == 5:  # type: ignore[attr-defined]
            raise _Killed

    with pytest.raises(_Killed):
        trained(tmp_path / "killed", crops, kill)
    resumed, again = trained(tmp_path / "killed", crops, lambda progress: None)
    assert [point["loss"] for point in again] == [point["loss"] for point in curve]
    for name, value in whole.items():
        assert (resumed[name] == value).all(), name


# --- which detector reads ---


def stored_detector(home: Path, name: str) -> Path:
    """The base with its last kernel scaled: another file that still works."""
    model = load_onnx(base_detector())
    kernel = next(n for n in model.graph.node[::-1] if n.op_type == "ConvTranspose").input[1]
    folder = home / "detectors" / name
    alias = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Identity"}
    while kernel in alias:
        kernel = alias[kernel]
    write_tensors(base_detector(), folder / "inference.onnx", {kernel: tensors_of(model)[kernel] * 1.01})
    (folder / "model.json").write_text(json.dumps({"label": name}), encoding="utf-8")
    return folder


def test_a_home_reads_with_the_base_detector_until_another_one_is_put_into_use(tmp_path: Path):
    from drawops.ocr import open_reader

    settings = Settings(home=tmp_path / "主", threads=1)
    assert find_detector(None, settings).path == base_detector()
    folder = stored_detector(settings.home, "det-1")
    assert detector_versions(settings) == ["det-1"]
    assert find_detector(None, settings).name == "base"
    use_detector("det-1", settings)
    reader = open_reader(None, settings)
    assert reader.found_by == {"name": "det-1", "sha256": find_detector("det-1", settings).sha256}
    assert reader.detector.path == folder / "inference.onnx"  # type: ignore[attr-defined]
    assert open_reader(None, settings, detector="base").found_by["name"] == "base"
    assert find_detector(str(folder), settings).name == "det-1"
    use_detector("base", settings)
    assert find_detector(None, settings).name == "base"
    with pytest.raises(NotFound, match="det-1"):
        use_detector("det-2", settings)


def drawops(*arguments: str) -> object:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_detector_is_trained_on_a_dataset_judged_and_read_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home, drawings = tmp_path / "home", tmp_path / "图纸"
    monkeypatch.setenv("DRAWOPS_HOME", str(home))
    drawops("synth", str(drawings), "-n", "6", "--seed", "4")
    drawops("ingest", str(drawings), "--dataset", "parts")
    few = [
        f"--set={item}"
        for item in ("sheets=2", "crops=1", "epochs=1", "held_out=2", "batch_size=2", "learning_rate=1e-5")
    ]
    outcome = drawops("train-detector", "parts", *few)
    assert outcome["generated"]["pages"] == 2 and outcome["own"]["pages"] >= 1
    assert outcome["generated"]["before"]["recall"] > 0.7
    assert not outcome["kept"] and "does not surely find more" in outcome["reasons"][0], "one step changes nothing"
    assert drawops("train-detector", "parts", *few) == outcome, "it is not done again"
    version = outcome["version"]
    in_use = {entry["version"]: entry["in_use"] for entry in drawops("detector", "list")}
    assert in_use == {"base": True, version: False}
    drawops("detector", "use", version)
    drawing = str(next(drawings.glob("*.png")))
    (reading,) = drawops("read", drawing, "--model", "base", "--no-vector-text")
    card = json.loads((folder_of(Settings(home=home)) / version / "model.json").read_text(encoding="utf-8"))
    assert reading["pages"][0]["detector"]["name"] == version and card["dataset"].startswith("parts@")
    assert reading["pages"][0]["lines"]
    (reading,) = drawops("read", drawing, "--model", "base", "--detector", "base", "--no-vector-text")
    assert reading["pages"][0]["detector"]["name"] == "base"
