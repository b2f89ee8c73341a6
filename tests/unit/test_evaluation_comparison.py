"""Both models on the same lines: outcomes by hand, one run of a shared trunk against two full runs."""

import json

import cv2
import numpy as np
import pytest

from drawops.drawings.synth.lines import GeneratedLine
from drawops.errors import InputRefused, NotFound
from drawops.evaluation import evaluate
from drawops.evaluation.comparison import compare, symbol_results
from drawops.evaluation.general import GENERAL_SEED, general_set, generated_drawing_set
from drawops.evaluation.line_sets import open_line_set, pack
from drawops.evaluation.recognise import SharedHeads, read_both
from drawops.evaluation.trunk import trunk_sha256
from drawops.ocr import Reading, Recogniser, base_recogniser
from drawops.ocr.export import write_onnx
from drawops.settings import load_settings, prepare_home


def crop(text, width=200):
    image = np.full((48, width, 3), 255, np.uint8)
    cv2.putText(image, text, (8, 35), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2, cv2.LINE_AA)
    return image


def write_line_set(folder, lines):
    """`lines`: (text, drawing, split, origin)."""
    (folder / "crops").mkdir(parents=True)
    rows = []
    for i, (text, drawing, split, origin) in enumerate(lines):
        name = f"crops/{i}.png"
        cv2.imencode(".png", crop(text))[1].tofile(folder / name)
        rows.append({"image": name, "text": text, "split": split, "origin": origin, "drawing": drawing, "kind": ""})
    listing = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "lines.jsonl").write_text(listing, encoding="utf-8")
    return folder


@pytest.fixture
def line_set(tmp_path):
    texts = ["R25", "40", "7", "M8x17", "12.5", "177"]
    lines = [(t, f"图{i % 2}.pdf", "test", "new" if i % 2 else "old") for i, t in enumerate(texts)]
    return write_line_set(tmp_path / "线集", [*lines, ("99", "x", "train", "new"), ("98", "x", "test", "generated")])


@pytest.fixture(scope="module")
def base():
    return Recogniser(base_recogniser(), threads=1)


@pytest.fixture(scope="module")
def without_sevens(base, tmp_path_factory):
    """A candidate with the base's trunk whose head can't read a 7, and has one class more."""
    weight, bias = (a.copy() for a in base.head())
    bias[base.charset.index("7") + 1] = -100
    weight = np.concatenate([weight, weight[:, :1]], axis=1)
    bias = np.append(bias, -100).astype(np.float32)
    path = tmp_path_factory.mktemp("candidate") / "inference.onnx"
    tensors = {base.names.weight: weight, base.names.bias: bias}
    return write_onnx(base.path, path, tensors, [*base.charset, "⌖"])


def test_only_labelled_test_lines_of_drawings_are_taken(line_set):
    assert len(open_line_set(line_set, origins=("new", "old"))) == 6
    assert open_line_set(line_set, split="train").texts == ["99"]


def test_a_missing_or_broken_line_set_is_refused_by_name(tmp_path, line_set):
    with pytest.raises(NotFound, match="No line set at .*nowhere"):
        open_line_set(tmp_path / "nowhere")
    (line_set / "crops" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(InputRefused, match="0.png.*missing or broken"):
        list(open_line_set(line_set).images())
    (line_set / "lines.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(InputRefused, match="line 1"):
        open_line_set(line_set)


def test_a_packed_line_set_gives_the_same_bytes_and_pictures_every_time(tmp_path):
    lines = [GeneratedLine(crop("5±0.1"), "5±0.1", "stroke"), GeneratedLine(crop("技"), "技", "song")]
    a, b = pack(tmp_path / "a.zip", lines, kind="general"), pack(tmp_path / "b.zip", lines, kind="general")
    assert a.read_bytes() == b.read_bytes()
    opened = open_line_set(a)
    assert opened.texts == ["5±0.1", "技"]
    assert np.array_equal(next(iter(opened.images([1]))), lines[1].image)


def test_generated_sets_are_made_once_and_depend_on_their_seed(tmp_path):
    path = general_set(tmp_path, 5)
    made = path.stat().st_mtime_ns
    assert general_set(tmp_path, 5) == path and path.stat().st_mtime_ns == made
    assert open_line_set(path).texts != open_line_set(general_set(tmp_path, 5, seed=GENERAL_SEED + 1)).texts
    assert len(open_line_set(generated_drawing_set(tmp_path, 4))) == 4


def test_lines_are_lost_kept_gained_and_missed_as_worked_out_by_hand(line_set):
    lines = open_line_set(line_set, origins=("new", "old"))  # R25, 40, 7, M8x17, 12.5, 177
    old = ["R25", "40", "7", "M8x17", "125", "111"]
    new = ["R25", "40", "1", "M8x17", "12.5", "111"]
    result = compare("drawings", lines, [Reading(t, 0.9) for t in new], [Reading(t, 0.8) for t in old])

    assert result.outcomes == {"kept": 3, "gained": 1, "lost": 1, "missed": 1}
    assert [(r.text, r.outcome) for r in result.changed] == [("7", "lost"), ("12.5", "gained")]
    assert all(r.crop for r in result.changed)
    assert [r.text for r in result.worst] == ["7", "177"]
    assert result.cluster_unit == "drawing" and result.clusters == 2
    assert result.champion.exact.value == result.candidate.exact.value == pytest.approx(4 / 6)
    assert result.champion.cer.value == pytest.approx(3 / 18)  # '.' missed, two of 177
    assert result.candidate.cer.value == pytest.approx(3 / 18)  # 7 misread, two of 177

    seven = next(s for s in result.symbols if s.symbol == "7")
    assert (seven.count, seven.kept, seven.lost, seven.gained, seven.missed) == (4, 1, 1, 0, 2)
    dot = next(s for s in result.symbols if s.symbol == ".")
    assert (dot.champion_recall, dot.candidate_recall, dot.gained) == (0.0, 1.0, 1)


def test_equal_spellings_are_not_errors(line_set):
    lines = open_line_set(line_set, origins=("new", "old"))
    readings = [Reading(t, 1.0) for t in ["Ｒ２５", "40", "7", "M8x17", "12.5", "177"]]
    assert compare("drawings", lines, readings, readings).candidate.exact.value == 1.0


def test_heads_on_shared_features_give_the_paths_of_the_full_softmax():
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(t, 6)).astype(np.float32) for t in (3, 5)]
    old = rng.normal(size=(6, 9)).astype(np.float32), rng.normal(size=9).astype(np.float32)
    weight = np.concatenate([old[0], rng.normal(size=(6, 2)).astype(np.float32)], axis=1)
    new = weight, np.append(old[1], [0.5, 0.5]).astype(np.float32)
    new[0][:, 3] += 1  # one changed and two added columns
    for (w, b), lines in zip((old, new), SharedHeads([old, new]).best_paths(features), strict=True):
        for f, (classes, scores) in zip(features, lines, strict=True):
            logits = f @ w + b
            softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            assert classes.tolist() == softmax.argmax(axis=1).tolist()
            expected = np.where(classes == 0, 0, softmax.max(axis=1))
            assert scores == pytest.approx(expected, abs=1e-6)


def test_one_run_of_a_shared_trunk_reads_as_two_full_runs(base, without_sevens, line_set, tmp_path):
    lines = open_line_set(line_set, origins=("new", "old"))
    assert trunk_sha256(without_sevens) == trunk_sha256(base.path)
    new, old, shared = read_both(without_sevens, base.path, lines, cache=tmp_path / "cache", threads=1)
    assert shared
    images = list(lines.images())
    for found, full in ((new, Recogniser(without_sevens, threads=1).read(images)), (old, base.read(images))):
        assert [r.text for r in found] == [r.text for r in full]
        assert [r.score for r in found] == pytest.approx([r.score for r in full], abs=1e-3)
    assert "7" in "".join(r.text for r in old) and "7" not in "".join(r.text for r in new)


def test_models_with_different_trunks_are_read_one_after_the_other(base, line_set, tmp_path):
    from onnx import numpy_helper

    from drawops.ocr.model_files import load_onnx

    lines = open_line_set(line_set, origins=("new", "old"))
    stored = next(t for t in load_onnx(base.path).graph.initializer if len(t.dims) == 4)
    other = write_onnx(
        base.path, tmp_path / "other.onnx", {stored.name: numpy_helper.to_array(stored) * 1.01}, base.charset
    )
    assert trunk_sha256(other) != trunk_sha256(base.path)
    new, old, shared = read_both(other, base.path, lines, cache=tmp_path / "cache", threads=1)
    assert not shared
    assert [r.text for r in new] == [r.text for r in Recogniser(other, threads=1).read(list(lines.images()))]
    assert len(old) == len(lines)


def test_readings_are_cached_by_model_and_line_set(base, line_set, tmp_path):
    lines = open_line_set(line_set, origins=("new", "old"))
    first, _, _ = read_both(base.path, base.path, lines, cache=tmp_path / "cache", threads=1)
    called = []
    again, _, _ = read_both(
        base.path, base.path, lines, cache=tmp_path / "cache", on_lines=lambda done, total: called.append(done)
    )
    assert not called
    assert [r.text for r in again] == [r.text for r in first]


def test_a_later_version_with_the_same_trunk_needs_only_its_head(base, without_sevens, tmp_path, monkeypatch):
    lines = open_line_set(generated_drawing_set(tmp_path, 6))
    cache = tmp_path / "cache"
    first, _, _ = read_both(base.path, base.path, lines, cache=cache, threads=1)

    def refuse(self, images):
        raise AssertionError("the trunk was run again")

    with monkeypatch.context() as patched:
        patched.setattr(Recogniser, "features", refuse)
        new, old, shared = read_both(without_sevens, base.path, lines, cache=cache, threads=1)
    assert shared and [r.text for r in old] == [r.text for r in first]
    assert [r.text for r in new] == [r.text for r in Recogniser(without_sevens, threads=1).read(list(lines.images()))]


def test_a_head_that_disagrees_with_its_exported_file_is_not_trusted(base, line_set, tmp_path, monkeypatch, caplog):
    lines = open_line_set(line_set, origins=("new", "old"))
    weight, bias = base.head()
    monkeypatch.setattr(Recogniser, "head", lambda self: (weight, bias[::-1].copy()))
    readings, _, _ = read_both(base.path, base.path, lines, cache=tmp_path / "cache", threads=1)
    assert "its head on the shared trunk" in caplog.text
    assert [r.text for r in readings] == [r.text for r in base.read(list(lines.images()))]


def test_an_evaluation_compares_both_models_on_drawings_and_generated_lines(base, without_sevens, line_set, tmp_path):
    settings = prepare_home(load_settings(tmp_path / "家", threads=1))
    seen = []
    report = evaluate(
        without_sevens,
        base.path,
        line_set,
        settings=settings,
        general_lines=12,
        generated_lines=8,
        on_progress=lambda title, done, total: seen.append((title, done, total)),
    )
    assert [s.name for s in report.sets] == ["drawings", "old", "generated", "general"]
    assert [s.synthetic for s in report.sets] == [False, False, True, True]
    assert all("synthetic" in s.origin for s in report.sets[2:])
    old = report.get("old")
    assert (old.lines, old.clusters, old.cluster_unit) == (3, 1, "drawing"), "the lines that an earlier version had"
    assert [line.text for line in old.changed] == ["7"]
    drawings = report.get("drawings")
    assert drawings.outcomes["lost"] >= 2 and drawings.outcomes["gained"] == 0
    assert all("7" in line.text for line in drawings.changed)
    assert report.shared_trunk
    assert any("come from 2 drawing(s)" in note for note in report.notes)
    assert report.candidate.classes == report.champion.classes + 1
    assert seen[-1] == ("General lines", 12, 12)
    assert report.metrics()["drawings_exact_gain"] == pytest.approx(-drawings.outcomes["lost"] / 6)
    assert type(report).model_validate_json(report.model_dump_json()) == report


def test_without_labelled_test_lines_no_accuracy_on_drawings_is_claimed(base, tmp_path):
    settings = prepare_home(load_settings(tmp_path, threads=1))
    report = evaluate(base.path, base.path, None, settings=settings, general_lines=0, generated_lines=4)
    assert report.get("drawings") is None
    assert any("no accuracy on your own drawings is claimed" in note for note in report.notes)


def test_every_symbol_has_its_interval_and_what_would_decide_it():
    truth = ["⌀8", "⌀8", "R8", "R8"] * 25
    champion = ["⌀8"] * 100  # reads no R
    candidate = ["⌀8", "8", "R8", "R8", *truth[4:]]
    found = {s.symbol: s for s in symbol_results(truth, candidate, champion, [str(i) for i in range(100)])}
    r, o, eight = found["R"], found["⌀"], found["8"]
    assert (r.lost, r.kept, r.gained) == (0, 0, 50) and r.more is None
    assert r.change and r.change.low is not None and 0.9 < r.change.low < r.change.value == 1
    assert (o.lost, o.kept) == (1, 49) and o.more and o.more > 50  # one lost place of 50 decides nothing
    assert o.recall and o.recall.low is not None and 0.85 < o.recall.low < 0.98 < (o.recall.high or 0) < 1
    assert eight.change and (eight.change.low, eight.change.high) == (-0.03, 0.03)  # the rule of three
    by_drawing = {s.symbol: s for s in symbol_results(truth, candidate, champion, [str(i % 2) for i in range(100)])}
    assert by_drawing["⌀"].recall != o.recall  # places of one drawing are no independent witnesses
