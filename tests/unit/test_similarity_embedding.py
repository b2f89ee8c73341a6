"""What the vectors promise: invariance, discrimination, provenance; and the retrieval scores by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from drawops.errors import InputRefused
from drawops.similarity import Embedder, View
from drawops.similarity.benchmark import benchmark, retrieval
from drawops.similarity.descriptors import contour_spectrum, global_numbers, polar_spectrum, upright
from drawops.similarity.embedding import BLOCKS, PROJECTION_FILE
from drawops.similarity.fit import discriminants, metric
from drawops.similarity.generated import generated_views
from drawops.similarity.labelled import class_of, labelled_files
from drawops.similarity.parts import Parts


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "network"  # exported once for all modules


def view_of(mask: np.ndarray, lines: np.ndarray | None = None) -> View:
    return View((0, 0, mask.shape[1], mask.shape[0]), mask, np.zeros_like(mask) if lines is None else lines)


def spanner() -> np.ndarray:
    mask = np.zeros((300, 420), np.uint8)
    cv2.rectangle(mask, (60, 120), (340, 180), 255, cv2.FILLED)
    cv2.circle(mask, (340, 150), 75, 255, cv2.FILLED)
    cv2.rectangle(mask, (20, 60), (100, 180), 255, cv2.FILLED)
    return mask


def dihedral(mask: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(np.rot90(m, k)) for m in (mask, mask[:, ::-1]) for k in range(4)]


def test_every_descriptor_is_the_same_for_quarter_turns_and_mirror_images() -> None:
    figures = [view_of(m).figure for m in dihedral(spanner())]
    for describe in (contour_spectrum, polar_spectrum, global_numbers, upright):
        rows = np.stack([describe(f).ravel() for f in figures])
        assert np.abs(rows - rows[0]).mean() < 0.02 * np.abs(rows[0]).mean() + 1e-6, describe.__name__


def test_descriptor_lengths_are_those_that_are_projected() -> None:
    shape = view_of(spanner()).figure
    lengths = {"contour": contour_spectrum(shape), "polar": polar_spectrum(shape), "global": global_numbers(shape)}
    for name, length, _, _ in BLOCKS:
        assert name == "lite0" or lengths[name].shape == (length,)


def test_turned_and_mirrored_shapes_have_nearly_the_same_vector(cache: Path) -> None:
    vectors = Embedder(cache, threads=1).embed([view_of(m) for m in dihedral(spanner())])
    assert (vectors @ vectors.T).min() > 0.99


def test_bolt_holes_count(cache: Path) -> None:
    def disc(holes: int) -> View:
        mask, lines = np.zeros((400, 400), np.uint8), np.zeros((400, 400), np.uint8)
        cv2.circle(mask, (200, 200), 190, 255, cv2.FILLED)
        for i in range(holes):
            a = 2 * np.pi * i / holes
            cv2.circle(lines, (round(200 + 130 * np.cos(a)), round(200 + 130 * np.sin(a))), 22, 255, 3)
        return view_of(mask, lines)

    turned = disc(4)
    matrix = cv2.getRotationMatrix2D((200, 200), 33, 1)
    turned = view_of(turned.silhouette, cv2.warpAffine(turned.lines, matrix, (400, 400), flags=cv2.INTER_NEAREST))
    four, again, six, none = Embedder(cache, threads=1).embed([disc(4), turned, disc(6), disc(0)])
    assert four @ again > four @ six > four @ none


@pytest.mark.parametrize("shape", [(3, 200), (200, 1), (1, 1)])
def test_a_shape_that_is_hardly_there_still_has_a_vector(cache: Path, shape: tuple[int, int]) -> None:
    vector = Embedder(cache, threads=1).embed([view_of(np.full(shape, 255, np.uint8))])
    assert np.isfinite(vector).all() and np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_generated_families_are_found_again_by_vectors_fitted_on_others(cache: Path) -> None:
    views, labels = generated_views(10, 3, seed=1234)
    vectors = Embedder(cache, threads=1).embed(views)
    found = retrieval(vectors, [str(label) for label in labels])
    assert found.hit_at_1 > 60, "chance is 7 %"


def test_generated_shapes_repeat_with_their_seed() -> None:
    one, two, other = (generated_views(2, 2, seed=seed)[0] for seed in (5, 5, 6))
    assert all(np.array_equal(a.silhouette, b.silhouette) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a.silhouette, b.silhouette) for a, b in zip(one, other, strict=True))


def test_discriminants_turn_away_from_what_varies_within_a_family() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(30), 10)
    rows = np.stack([rng.normal(size=30)[labels], 5 * rng.normal(size=300)], axis=1)  # family, then noise
    _, axes = discriminants(rows, labels, 1, smoothing=0.01)
    assert abs(axes[0, 0]) > 10 * abs(axes[1, 0])


def test_the_metric_makes_less_of_what_varies_within_a_family() -> None:
    rng = np.random.default_rng(1)
    families = [f"f{i // 6}" for i in range(120)]
    centres = rng.normal(size=(20, 8))
    sizes = 6 * rng.normal(size=(120, 1)) * np.eye(8)[0]  # one direction, the same in all families
    rows = [centre + size for centre, size in zip(np.repeat(centres, 6, axis=0), sizes, strict=True)]
    drawings = [np.stack([row, -row]) / np.linalg.norm(row) for row in rows]  # views of two kinds
    matrix = metric([d.astype(np.float32) for d in drawings[:60]], families[:60])
    assert np.linalg.norm(matrix[0]) < 0.7 * np.linalg.norm(matrix[1:], axis=1).min()

    def found(change: np.ndarray) -> float:
        return retrieval(np.stack([d[0] @ change for d in drawings[60:]]), families[60:]).mean_ap

    assert found(matrix) > found(np.eye(8)) + 5, "on families that it was not fitted on"


def test_the_projection_is_small_and_fits_the_blocks() -> None:
    assert PROJECTION_FILE.stat().st_size < 1_000_000
    with np.load(PROJECTION_FILE) as stored:
        for name, length, kept, _ in BLOCKS:
            assert stored[f"{name}_mean"].shape == (length,) and stored[f"{name}_axes"].shape == (length, kept)
        assert stored["metric"].shape == (Embedder.dim, Embedder.dim)


def test_retrieval_scores_by_hand() -> None:
    # On a circle, in degrees. The other of the class stands, of the five others, in place 1 for a0, 2 for a10,
    # 4 for b14, 5 for c21, 3 for b170, 2 for c180; the bull's-eye looks at the query and the first three.
    angles = np.radians([0, 10, 14, 21, 170, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = retrieval(vectors, ["a", "a", "b", "c", "b", "c"])
    assert found.bulls_eye == pytest.approx(100 * (1 + 1 + 1 / 2 + 1 / 2 + 1 + 1) / 6)
    assert found.mean_ap == pytest.approx(100 * (1 + 1 / 2 + 1 / 4 + 1 / 5 + 1 / 3 + 1 / 2) / 6)
    assert found.hit_at_1 == found.recall_at[1] == pytest.approx(100 / 6)
    assert found.recall_at[5] == pytest.approx(100)
    assert found.by_class["a"] == pytest.approx(100 * (1 + 1 / 2) / 2)


def test_a_benchmark_needs_a_class_with_two_members() -> None:
    with pytest.raises(InputRefused, match="two members"):
        retrieval(np.eye(2), ["a", "b"])


def test_a_folder_without_two_of_a_class_is_refused_with_what_to_do(tmp_path: Path, cache: Path) -> None:
    for name in ("a", "乙"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x-1.png").write_bytes(
            cv2.imencode(".png", np.full((40, 40 + len(name.encode())), 255, np.uint8))[1].tobytes()
        )
    with pytest.raises(
        InputRefused,
        match=r"no two of its 2 drawings are of one class by folder: put .* try --classes prefix \(name them",
    ):
        benchmark(tmp_path, classes="folder", cache=cache)


def test_a_folder_of_one_class_measures_nothing_and_is_refused(tmp_path: Path, cache: Path) -> None:
    for width in (40, 41):
        (tmp_path / f"x-{width}.png").write_bytes(
            cv2.imencode(".png", np.full((40, width), 255, np.uint8))[1].tobytes()
        )
    with pytest.raises(InputRefused, match=r"all its drawings are of one class by folder: .* or --classes family"):
        benchmark(tmp_path, classes="folder", cache=cache)


def test_the_benchmark_scores_each_vector_kind(tmp_path: Path, cache: Path) -> None:
    views, labels = generated_views(4, 2, seed=7)
    for i, (view, label) in enumerate(zip(views, labels, strict=True)):
        picture = cv2.copyMakeBorder(255 - view.silhouette, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)
        (tmp_path / f"f{label}").mkdir(exist_ok=True)
        (tmp_path / f"f{label}" / f"k{label}-{i}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (tmp_path / "f0" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said: list[str] = []
    by_folder = benchmark(tmp_path, classes="folder", cache=cache, turns=True, say=said.append)
    assert [s for s in said if s.startswith("left out: cut.png: ")] and said[-1].startswith("9 of 9 drawings")
    assert [s.vector for s in by_folder] == [
        "raw 32 x 32 pixels",
        *(b[0] for b in BLOCKS),
        "all together",
        "all together, re-ranked",
    ]
    assert by_folder[-1].scores.hit_at_1 > by_folder[0].scores.hit_at_1


def test_a_drawing_has_its_class_from_its_folder_its_name_or_its_row(tmp_path: Path) -> None:
    file = tmp_path / "f1" / "k-1-7.png"
    file.parent.mkdir()
    cv2.imwrite(str(file), np.full((40, 40), 255, np.uint8))
    (file.parent / "parts.csv").write_text("file,family,零件族\nk-1-7.png,flange,法兰\n", encoding="utf-8")
    ways = ("folder", "prefix", "family", "零件族")
    assert [class_of(file, classes, Parts()) for classes in ways] == ["f1", "k-1", "flange", "法兰"]
    (file.parent / "parts.csv").unlink()
    with pytest.raises(InputRefused, match=r"no drawing has a class by family: give parts.csv a column"):
        list(labelled_files(tmp_path, "family"))
    with pytest.raises(
        InputRefused, match=r"a class by 零件族: give parts.csv a column 零件族, or try --classes folder"
    ):
        list(labelled_files(tmp_path, "零件族"))
