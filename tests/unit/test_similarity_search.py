"""Shapes from pictures to answers: isolation, embedding, search, the command line."""

import json
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import InputRefused, NotFound, Unavailable
from drawops.settings import Settings, prepare_home
from drawops.similarity import Embedder, ShapeSearch, View, isolate
from drawops.similarity.embedding import BUILT_IN
from drawops.similarity.index import open_index
from drawops.similarity.parts import Parts
from drawops.similarity.search import Hit, _mirrored_last

WHITE = 255


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "network"  # exported once for all modules
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def shapes(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "家"
    monkeypatch.setenv("DRAWOPS_HOME", str(home))
    settings = prepare_home(Settings(home=home, threads=1))
    (home / "cache").rmdir()
    (home / "cache").symlink_to(cache)  # the network is exported once for all tests
    search = ShapeSearch(settings)
    yield search
    search.close()


def paper(width: int = 1200, height: int = 850) -> np.ndarray:
    return np.full((height, width, 3), WHITE, np.uint8)


def flange(image: np.ndarray, at: tuple[int, int], radius: int, holes: int = 4, weight: int = 5) -> None:
    cv2.circle(image, at, radius, (0, 0, 0), weight, cv2.LINE_AA)
    cv2.circle(image, at, radius // 3, (0, 0, 0), weight, cv2.LINE_AA)
    for i in range(holes):
        a = 2 * np.pi * i / holes
        hole = (round(at[0] + 0.7 * radius * np.cos(a)), round(at[1] + 0.7 * radius * np.sin(a)))
        cv2.circle(image, hole, radius // 9, (0, 0, 0), weight, cv2.LINE_AA)


def shaft(image: np.ndarray, at: tuple[int, int], length: int, weight: int = 5) -> None:
    x, y = at
    for x0, x1, h in ((0, 0.3, 0.1), (0.3, 0.7, 0.16), (0.7, 1, 0.07)):
        top, bottom = y - round(h * length), y + round(h * length)
        cv2.rectangle(image, (x + round(x0 * length), top), (x + round(x1 * length), bottom), (0, 0, 0), weight)


def bracket(image: np.ndarray, at: tuple[int, int], size: int, weight: int = 5) -> None:
    corners = np.array([(0, 0), (0.25, 0), (0.25, 0.75), (1, 0.75), (1, 1), (0, 1)]) * size + at
    cv2.polylines(image, [np.round(corners).astype(np.int32)], True, (0, 0, 0), weight)


def sheet() -> np.ndarray:
    """Frame, title block in its corner, a flange and a shaft, thin dimensions."""
    image = paper()
    cv2.rectangle(image, (40, 40), (1160, 810), (0, 0, 0), 4)
    cv2.rectangle(image, (760, 650), (1160, 810), (0, 0, 0), 3)
    for y in (690, 730, 770):
        cv2.line(image, (760, y), (1160, y), (0, 0, 0), 2)
    cv2.line(image, (960, 650), (960, 810), (0, 0, 0), 2)
    cv2.putText(image, "FLANGE", (780, 680), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    flange(image, (300, 300), 160)
    shaft(image, (620, 300), 400)
    for x in (620, 1020):  # extension lines that touch the outline, and the dimension line between them
        cv2.line(image, (x, 330), (x, 480), (0, 0, 0), 1)
    cv2.line(image, (620, 470), (1020, 470), (0, 0, 0), 1)
    cv2.putText(image, "400", (790, 462), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1)
    return image


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(path.suffix, image)
    assert ok
    path.write_bytes(data.tobytes())
    return path


def overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return width * height / (sum(areas) - width * height)


def test_a_sheet_gives_its_views_without_frame_title_block_and_dimensions() -> None:
    views = isolate(sheet())
    assert len(views) == 2
    assert overlap(views[0].box, (138, 138, 463, 463)) > 0.97
    assert overlap(views[1].box, (618, 234, 1022, 366)) > 0.95


def test_closed_outlines_are_filled_and_inner_lines_kept() -> None:
    view = isolate(sheet())[0]
    inside = cv2.countNonZero(view.silhouette) / view.silhouette.size
    assert inside == pytest.approx(np.pi / 4, abs=0.02), "a filled disc"
    assert 0.05 < cv2.countNonZero(view.lines) / view.lines.size < 0.5


def test_the_same_view_is_found_in_light_on_dark_and_on_uneven_paper() -> None:
    image = paper(600, 600)
    flange(image, (300, 300), 200)
    shade = np.linspace(0.65, 1, 600)[None, :, None]
    for picture in (255 - image, (image * shade).astype(np.uint8)):
        views = isolate(picture)
        assert len(views) == 1 and overlap(views[0].box, (98, 98, 503, 503)) > 0.95


def test_a_symbol_without_closed_outlines_is_taken_as_drawn() -> None:
    image = paper(300, 200)
    cv2.polylines(
        image, [np.array([(20, 100), (100, 100), (130, 40), (170, 160), (200, 100), (280, 100)])], False, 0, 2
    )
    (view,) = isolate(image)
    assert overlap(view.box, (20, 40, 281, 161)) > 0.9


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 400, 3)])
def test_a_picture_too_small_to_hold_a_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputRefused, match="too few"):
        isolate(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("picture", [np.zeros((50, 50, 3)), np.zeros((50, 50, 4), np.uint8), np.zeros(50, np.uint8)])
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputRefused, match="must be"):
        isolate(picture)


def test_vectors_have_length_one_and_do_not_depend_on_the_batch(cache: Path) -> None:
    embedder = Embedder(cache, threads=1)
    views = [*isolate(sheet()), *isolate(cv2.rotate(sheet(), cv2.ROTATE_90_CLOCKWISE))]
    vectors = embedder.embed(views)
    assert vectors.shape == (4, Embedder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(views[2:3]), vectors[2:3], atol=1e-4)
    assert embedder.embed([]).shape == (0, Embedder.dim)


@pytest.mark.parametrize("turn", ["turned", "mirrored", "scaled", "moved"])
def test_a_view_is_most_like_itself_however_it_lies(cache: Path, turn: str) -> None:
    embedder = Embedder(cache, threads=1)
    drawn = []
    for draw in (flange, shaft, bracket):
        image = paper(700, 700)
        draw(image, (350, 350) if draw is flange else (120, 300), 200 if draw is flange else 380)
        drawn.append(image)
    change = {
        "turned": lambda im: cv2.rotate(im, cv2.ROTATE_90_CLOCKWISE),
        "mirrored": lambda im: im[:, ::-1],
        "scaled": lambda im: cv2.resize(im, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
        "moved": lambda im: cv2.copyMakeBorder(im, 0, 300, 150, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)),
    }[turn]

    def vectors(images: list[np.ndarray]) -> np.ndarray:
        views: list[View] = [isolate(np.ascontiguousarray(image))[0] for image in images]
        return embedder.embed(views)

    scores = vectors([change(image) for image in drawn]) @ vectors(drawn).T
    assert (scores.argmax(axis=1) == [0, 1, 2]).all(), scores


def test_a_drawing_finds_itself_then_its_kind(shapes: ShapeSearch, tmp_path: Path) -> None:
    for i, holes in enumerate((4, 5, 6)):
        image = paper(500, 500)
        flange(image, (250, 250), 150 + 20 * i, holes)
        save(tmp_path / "库" / f"法兰{i}.png", image)
        image = paper(700, 400)
        shaft(image, (100, 200), 400 + 40 * i)
        save(tmp_path / "库" / f"轴{i}.png", image)
    (tmp_path / "库" / "parts.csv").write_text("file,family,number\n法兰1.png,flange,F-1\n轴1.png,shaft,\n", "utf-8")
    added = shapes.add([tmp_path / "库"])
    assert len(added.drawings) == 6 and not added.refused
    hits = shapes.search(tmp_path / "库" / "法兰1.png", k=6)
    assert hits[0].id == "法兰1.png" and hits[0].score > 0.999
    assert {h.id for h in hits[:3]} == {"法兰0.png", "法兰1.png", "法兰2.png"}
    assert hits[0].metadata["family"] == "flange" and hits[0].view["page"] == 0
    assert cv2.imdecode(np.frombuffer(hits[0].thumbnail, np.uint8), 0).max() > 200
    assert [h.id for h in shapes.search(tmp_path / "库" / "法兰1.png", where={"family": "shaft"})] == ["轴1.png"]


def test_of_drawings_with_views_alike_those_come_first_whose_views_are_in_the_same_proportion(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    def drawn(name: str, radius: int, length: int) -> Path:
        image = sheet()
        image[60:600, 60:1100] = WHITE
        flange(image, (260, 300), radius)
        shaft(image, (580, 300), length)
        return save(tmp_path / name, image)

    query = drawn("query.png", 100, 400)
    shapes.add([drawn("same.png", 80, 320), drawn("other.png", 180, 200)])
    views = [view["vector"] for view in shapes.embed(query)["views"]]
    plain = {match.id: match.score for match in shapes.index.search(views)}
    hits = {hit.id: hit.score for hit in shapes.search(query)}
    assert list(hits) == ["same.png", "other.png"]
    assert hits["same.png"] == pytest.approx(plain["same.png"], abs=0.002)
    assert hits["other.png"] == pytest.approx(plain["other.png"] - 0.1 * np.log(180 / 100 * 400 / 200) / 4, abs=0.003)
    assert [h.id for h in shapes.search(query, min_score=hits["other.png"] + 0.01)] == ["same.png"]
    assert [h.id for h in shapes.search(query, k=1)] == ["same.png"]


def test_adding_again_changes_nothing_and_a_new_revision_replaces_the_old(shapes: ShapeSearch, tmp_path: Path) -> None:
    image = paper(500, 500)
    flange(image, (250, 250), 150)
    file = save(tmp_path / "a.png", image)
    assert shapes.add([file]).drawings == ["a.png"]
    assert shapes.add([file]).unchanged == ["a.png"]
    image = paper(700, 400)
    shaft(image, (100, 200), 400)
    save(file, image)
    assert shapes.add([file]).drawings == ["a.png"]
    assert shapes.stats()["documents"] == 1
    flange(image, (600, 90), 60)
    other = save(tmp_path / "elsewhere" / "a.png", image)
    (id,) = shapes.add([other]).drawings
    assert id.startswith("a.png#") and shapes.stats()["documents"] == 2


def test_a_copy_elsewhere_is_a_drawing_of_its_own_and_the_first_keeps_its_metadata(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    first = save(tmp_path / "库" / "a.png", sheet())
    (tmp_path / "库" / "parts.csv").write_text("file,family\na.png,flange\n", encoding="utf-8")
    copies = [save(tmp_path / folder / "a.png", sheet()) for folder in ("copy", "second copy")]
    assert shapes.add([first]).drawings == ["a.png"]
    ids = ["a.png", *shapes.add(copies).drawings]
    assert len(set(ids)) == 3 and all(id.startswith("a.png#") for id in ids[1:])
    stored = {str(d.metadata["path"]): d.metadata.get("family") for d in shapes.index.get_many(ids)}
    assert stored == {str(first): "flange", str(copies[0]): None, str(copies[1]): None}
    assert [sorted(group.drawings) for group in shapes.duplicates()] == [sorted(ids)]
    assert sorted(shapes.add([first, *copies]).unchanged) == sorted(ids), "each is known where it lies"
    first.unlink()
    assert sorted(shapes.add(copies).unchanged) == sorted(ids[1:]), "a copy that is known is no moved original"


def test_a_file_that_moved_keeps_its_id_and_what_its_new_place_does_not_say(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    file = save(tmp_path / "old" / "a.png", sheet())
    (tmp_path / "old" / "parts.csv").write_text("file,family,plant,name\na.png,flange,苏州,盖\n", encoding="utf-8")
    shapes.add([file])
    moved = tmp_path / "new" / "a.png"
    moved.parent.mkdir()
    file.rename(moved)
    (tmp_path / "new" / "parts.csv").write_text("file,plant,name\na.png,Köln,\n", encoding="utf-8")
    assert shapes.add([moved]).drawings == ["a.png"] and shapes.add([moved]).unchanged == ["a.png"]
    assert shapes.index.ids() == {"a.png"}
    metadata = shapes.index.get_many(["a.png"])[0].metadata
    assert metadata["path"] == str(moved) and metadata["family"] == "flange" and metadata["plant"] == "Köln"
    assert "name" not in metadata, "an empty cell takes the value away"


def test_bad_files_are_refused_by_name_and_the_others_go_on(shapes: ShapeSearch, tmp_path: Path) -> None:
    image = paper(500, 500)
    flange(image, (250, 250), 150)
    save(tmp_path / "in" / "good.png", image)
    save(tmp_path / "in" / "blank.png", paper())
    (tmp_path / "in" / "cut.png").write_bytes((tmp_path / "in" / "good.png").read_bytes()[:60])
    save(tmp_path / "in" / "dot.png", np.zeros((1, 1, 3), np.uint8))
    added = shapes.add([tmp_path / "in"])
    assert added.drawings == ["good.png"]
    reasons = {Path(r.file).name: r.reason for r in added.refused}
    assert set(reasons) == {"blank.png", "cut.png", "dot.png"}
    assert "blank" in reasons["blank.png"] and "too few" in reasons["dot.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize(("column", "comma"), [("file", ","), ("文件名", ";")])
def test_a_parts_list_is_taken_as_excel_saves_it(tmp_path: Path, encoding: str, column: str, comma: str) -> None:
    table = f'{column},类别,备注\r\n法兰（8）.dxf,法兰,"两行\r\n文字"\r\n轴.png\r\n'.replace(",", comma)
    (tmp_path / "parts.csv").write_bytes(table.encode(encoding))
    parts = Parts()
    assert parts.of(tmp_path / "法兰（8）.dxf") == {"类别": "法兰", "备注": "两行\r\n文字"}
    assert parts.of(tmp_path / "轴.png") == {"类别": "", "备注": ""} and parts.of(tmp_path / "x.png") == {}


@pytest.mark.parametrize(
    ("table", "reason"), [(b"\xff\xfe\xff", "save it as CSV in UTF-8"), (b"part,plant\n1,2\n", "but part, plant")]
)
def test_a_parts_list_that_is_none_is_named_once_and_its_drawings_wait(
    shapes: ShapeSearch, tmp_path: Path, table: bytes, reason: str
) -> None:
    for name in "ab":
        save(tmp_path / "in" / f"{name}.png", sheet())
    save(tmp_path / "other" / "c.png", sheet())
    (tmp_path / "in" / "parts.csv").write_bytes(table)
    added = shapes.add([tmp_path / "in", tmp_path / "other"])
    assert added.drawings == ["c.png"]
    (refused,) = added.refused
    assert Path(refused.file).name == "parts.csv" and reason in refused.reason and "wait" in refused.reason


def test_a_folder_without_a_drawing_is_refused_and_one_that_is_indexed_already_is_not(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    from drawops.cli import app

    save(tmp_path / "in" / "a.png", sheet())
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing to see")
    add = ["index", "add", str(tmp_path / "in")]
    assert [CliRunner().invoke(app, add).exit_code for _ in range(2)] == [0, 0]
    result = CliRunner().invoke(app, [*add, str(tmp_path / "empty")])
    assert result.exit_code == 1 and "1 unchanged" in result.output
    assert f"{tmp_path / 'empty'}: there is no drawing" in result.output.replace("\n", "")


def test_a_query_without_a_shape_and_an_empty_index_say_so(shapes: ShapeSearch) -> None:
    with pytest.raises(InputRefused, match="no shape"):
        shapes.search(paper())
    with pytest.raises(NotFound, match="index add"):
        shapes.search(sheet())


def test_a_removed_drawing_is_gone_from_every_answer(shapes: ShapeSearch, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        image = sheet()
        image[5, 5 if name == "a.png" else 6] = 254
        save(tmp_path / name, image)
    shapes.add([tmp_path / "a.png", tmp_path / "b.png"])
    assert shapes.remove(["a.png"]) == 1
    assert [h.id for h in shapes.search(sheet())] == ["b.png"]
    with pytest.raises(NotFound, match=r"No drawing 'c\.png'.*Did you mean 'b\.png'"):
        shapes.remove(["c.png"])


def test_a_removed_drawing_does_not_come_back_with_another_embedding_version(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    shapes.add([save(tmp_path / folder / "a.png", sheet()) for folder in ("old", "new")])
    first, second = sorted(shapes.index.ids())
    with closing(open_index(shapes.settings.index_url, Embedder.dim, version=f"{BUILT_IN}+0123")) as other:
        other.upsert(shapes.index.get_many([first]))
        moved = shapes.index.get_many([second])[0]
        other.upsert([replace(moved, metadata={**moved.metadata, "path": "/elsewhere/a.png"})])
        shapes.remove([first, second])
        assert other.ids() == {second}, "that of another place stays"
    assert not shapes.index.ids()


def test_a_renamed_file_keeps_its_metadata_and_its_old_name_is_found_no_more(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    file = save(tmp_path / "in" / "a.png", sheet())
    (file.parent / "parts.csv").write_text("file,material\na.png,45\n", encoding="utf-8")
    shapes.add([file])
    new = file.rename(file.with_name("新名.png"))
    added = shapes.add([new.parent])
    assert (added.drawings, added.known, shapes.index.ids()) == (["新名.png"], ["新名.png"], {"新名.png"})
    assert shapes.index.get("新名.png").metadata["material"] == "45"


def test_drawings_without_a_file_are_removed_when_asked_but_none_of_a_folder_that_is_away(
    shapes: ShapeSearch, tmp_path: Path
) -> None:
    kept, gone, away = (save(tmp_path / d / f"{d}.png", sheet()) for d in ("kept", "gone", "away"))
    shapes.add([kept, gone, away])
    gone.unlink()
    away.parent.rename(tmp_path / "elsewhere")
    result = CliRunner().invoke(app, ["index", "remove", "--missing", "--json"])
    assert json.loads(result.stdout)["ids"] == ["gone.png"]
    assert shapes.index.ids() == {"kept.png", "away.png"}


def test_a_load_waits_for_an_index_server_that_went_away(
    shapes: ShapeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = shapes.index.get_many, [Unavailable("away."), Unavailable("away.")]

    def get_many(ids: object) -> object:
        if failures:
            raise failures.pop()
        return real(ids)

    monkeypatch.setattr(shapes.index, "get_many", get_many)
    monkeypatch.setattr("drawops.similarity.search._WAIT_S", 0.01)
    file = save(tmp_path / "a.png", sheet())
    assert shapes.add([file]).drawings == ["a.png"]
    failures += [Unavailable("away.")] * 1000
    monkeypatch.setattr("drawops.similarity.search._PATIENCE_S", 0.05)
    with pytest.raises(Unavailable, match="away. 0 drawings of this load are stored"):
        shapes.add([file])


def test_a_long_load_tells_a_log_how_far_it_is(
    shapes: ShapeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drawops.cli.index._MANY", 2)
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, sheet())
    result = CliRunner().invoke(app, ["index", "add", str(tmp_path / "in")])
    assert "0 of 2 drawings looked at" in result.stderr and "2 drawings added" in result.stdout


def test_another_embedding_version_takes_over_ids_and_metadata(shapes: ShapeSearch, tmp_path: Path) -> None:
    shapes.add([save(tmp_path / folder / "a.png", sheet()) for folder in ("old", "new")])
    second = next(id for id in shapes.index.ids() if id != "a.png")
    (stored,) = shapes.index.get_many([second])
    with closing(open_index(shapes.settings.index_url, Embedder.dim, version="shape-0")) as before:
        before.upsert([replace(stored, metadata={**stored.metadata, "material": "45"})])
        before.activate()
        shapes.index.delete(["a.png", second])
        assert shapes.files_in_service() == [tmp_path / "new" / "a.png"]
        with pytest.raises(NotFound, match=f"1 have those of shape-0.+ --embedding {BUILT_IN}`"):
            shapes.search(tmp_path / "new" / "a.png")
        added = shapes.add(shapes.files_in_service())
        assert added.drawings == [second], "and not a.png, which would be another drawing's id after the switch"
        assert shapes.index.get(second).metadata["material"] == "45"
        assert shapes.add(shapes.files_in_service()).unchanged == [second]


def test_the_command_line_adds_searches_counts_and_removes(shapes: ShapeSearch, tmp_path: Path) -> None:
    from drawops.cli import app

    def drawops(*words: object) -> object:
        result = CliRunner().invoke(app, ["index", *map(str, words), "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    file = save(tmp_path / "图 1.png", sheet())
    assert drawops("add", file)["added"] == ["图 1.png"]
    (hit,) = drawops("search", file, "-k", 3, "--min-score", 0.9)
    assert hit["id"] == "图 1.png" and hit["score"] == pytest.approx(1, abs=1e-3)
    assert drawops("stats")["documents"] == 1
    assert drawops("remove", "图 1.png") == {"removed": 1, "ids": ["图 1.png"]}


def test_similar_is_public(shapes: ShapeSearch, tmp_path: Path) -> None:
    import drawops

    shapes.add([save(tmp_path / "a.png", sheet())])
    assert [h.id for h in drawops.similar(tmp_path / "a.png", k=1)] == ["a.png"]


def test_shadows_and_grain_of_a_photo_without_lines_are_no_shape() -> None:
    rng = np.random.default_rng(0)
    shadows = cv2.GaussianBlur(rng.normal(size=(700, 900)).astype(np.float32), (0, 0), 40)
    photo = np.linspace(90, 200, 900) + 20 * shadows / shadows.std() + rng.normal(0, 4, (700, 900))
    picture = np.clip(photo, 0, 255).astype(np.uint8)
    assert isolate(picture) == []
    cv2.circle(picture, (450, 350), 200, 40, 3)
    assert isolate(picture), "a line drawn on it is one"


def test_duplicates_and_reranking_on_the_command_line(shapes: ShapeSearch, tmp_path: Path) -> None:
    folder = tmp_path / "图纸"
    folder.mkdir()
    image = sheet()
    save(folder / "a.png", image)
    save(folder / "a-turned.png", np.ascontiguousarray(np.rot90(image)))
    other = paper()
    bracket(other, (300, 200), 400)
    save(folder / "bracket.png", other)
    shapes.add([folder])
    run = CliRunner()
    groups = json.loads(run.invoke(app, ["index", "duplicates", "--json"]).stdout)
    assert [g["drawings"] for g in groups] == [["a-turned.png", "a.png"]] and groups[0]["score"] > 0.98
    assert "a-turned.png" in run.invoke(app, ["index", "duplicates"]).stdout
    found = json.loads(run.invoke(app, ["index", "search", str(folder / "a.png"), "--rerank", "--json"]).stdout)
    assert [h["id"] for h in found[:2]] == ["a.png", "a-turned.png"] and len(found) == 3
    switched = json.loads(run.invoke(app, ["index", "switch", "--json"]).stdout)
    assert switched == {"active": BUILT_IN, "removed": []}


def test_an_empty_index_is_not_put_into_service(shapes: ShapeSearch) -> None:
    result = CliRunner().invoke(app, ["index", "switch"])
    assert "No drawing is indexed" in str(result.exception)


def left_hand() -> np.ndarray:
    image = paper(600, 600)
    shape = np.array([(0, 0), (0.2, 0), (0.2, 0.75), (0.6, 0.75), (0.6, 1), (0, 1)]) * 350 + 120
    cv2.polylines(image, [np.round(shape).astype(np.int32)], True, (0, 0, 0), 5)
    return image


def test_left_and_right_hand_parts_are_no_duplicates_but_listed_apart(shapes: ShapeSearch, tmp_path: Path) -> None:
    left, disc = left_hand(), paper(600, 600)
    flange(disc, (300, 300), 200)
    pictures = {
        "a-right": left[:, ::-1],
        "disc": disc,
        "disc-mirrored": disc[:, ::-1],
        "left": left,
        "left-turned": np.rot90(left),
    }
    shapes.add([save(tmp_path / f"{name}.png", np.ascontiguousarray(p)) for name, p in pictures.items()])
    same, other, apart = shapes.duplicates()
    assert same.drawings == ["disc-mirrored.png", "disc.png"] and not same.mirrored
    assert other.drawings == ["left-turned.png", "left.png"] and not other.mirrored
    assert apart.drawings == ["a-right.png", "left-turned.png", "left.png"] and apart.mirrored
    said = CliRunner().invoke(app, ["index", "duplicates"])
    assert "2 groups with 4 drawings" in said.stderr and "1 more of left-hand and right-hand parts" in said.stderr


def test_a_part_comes_before_a_mirrored_one_that_scores_as_good_as_the_same() -> None:
    def order(*hits: tuple[str, float, bool | None]) -> str:
        return "".join(h.id for h in _mirrored_last([Hit(id, score, {}, {}, m) for id, score, m in hits]))

    assert order(("a", 0.999, True), ("b", 0.998, False), ("c", 0.9975, None)) == "bca"
    assert order(("a", 0.999, True), ("b", 0.996, False)) == "ab", "that is another shape"
    assert order(("a", 0.999, None), ("b", 0.999, False), ("c", 0.999, True)) == "abc"


def test_a_hit_says_whether_it_is_the_mirror_image(shapes: ShapeSearch, tmp_path: Path) -> None:
    left, disc = left_hand(), paper(600, 600)
    flange(disc, (300, 300), 200)
    shapes.add([save(tmp_path / "left.png", left), save(tmp_path / "disc.png", disc)])

    def best(query: np.ndarray) -> tuple[str, bool | None]:
        hit = shapes.search(np.ascontiguousarray(query), k=1)[0]
        return hit.id, hit.mirrored

    assert best(np.rot90(left)) == best(left) == ("left.png", False)
    assert best(left[:, ::-1]) == best(np.rot90(left)[::-1]) == ("left.png", True)
    assert best(disc[:, ::-1]) == ("disc.png", None), "a flange is its own mirror image"


def test_hits_of_one_file_name_are_told_apart_by_their_folders(shapes: ShapeSearch, tmp_path: Path) -> None:
    files = [save(tmp_path / folder / "a.png", sheet()) for folder in ("苏州", "Köln")]
    (tmp_path / "Köln" / "parts.csv").write_text("file,number\na.png,F-17\n", encoding="utf-8")
    shapes.add(files[:1])

    def table() -> str:
        return CliRunner().invoke(app, ["index", "search", str(files[0])], catch_exceptions=False).stdout

    assert "folder" not in table()
    shapes.add(files[1:])
    rows = [line for line in table().splitlines() if "a.png" in line]
    assert all(any(str(file.parent) in row for row in rows) for file in files) and "F-17" in table()


def test_hits_show_the_columns_of_a_parts_list_in_other_words(shapes: ShapeSearch, tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", sheet())
    (tmp_path / "parts.csv").write_text("文件,类别,图号,牌号,车间\na.png,法兰,F-17,Q235A,二\n", encoding="gbk")
    shapes.add([file])
    head, *_, row = CliRunner().invoke(app, ["index", "search", str(file)]).stdout.strip().splitlines()
    assert re.findall(r"类别|图号|牌号|车间|family", head) == ["类别", "图号", "牌号"] and "F-17" in row
    nothing = CliRunner().invoke(app, ["index", "search", str(file), "--where", "类别=法兰", "--where", "车间=..一"])
    assert not nothing.stdout and "No drawing meets the filters" in nothing.stderr


def test_a_filter_that_leaves_nothing_says_why(shapes: ShapeSearch, tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", sheet())
    save(tmp_path / "b.png", np.ascontiguousarray(sheet()[::-1]))
    (tmp_path / "parts.csv").write_text(
        "file,family,date,kg\na.png,flange,05.11.2019,0.160\nb.png,轴,2024-02-01,7\n", encoding="utf-8"
    )
    shapes.add([tmp_path])
    assert [hit.id for hit in shapes.search(file, where={"date": "05.11.2019"})] == ["a.png"]
    assert [hit.id for hit in shapes.search(file, where={"kg": 7})] == ["b.png"]
    for wanted, said in (
        ({"family": "flangr"}, "filter 'family': no drawing has 'flangr'. Did you mean 'flange'?"),
        ({"family": "FLANGES"}, "Did you mean 'flange'?"),
        ({"kg": "0.16"}, "no drawing has '0.16'. Did you mean '0.160'?"),
        ({"kg": {"to": "0,5"}}, "filter 'kg': '0,5' is no number, as all its values are; write 0.5"),
        ({"family": ["gear", "nosuch"]}, "no drawing has 'gear' or 'nosuch'. Known: flange, 轴."),
        ({"family": "flange", "date": "2019-11-06"}, "'2019-11-06'. Did you mean '2019-11-05'?"),
    ):
        for ask in (lambda: shapes.search(file, where=wanted), lambda: shapes.duplicates(where=wanted)):  # noqa: B023
            with pytest.raises(InputRefused, match=re.escape(said)):
                ask()
    assert len(shapes.search(file, where={"family": ["flange", "nosuch"]})) == 1, "one of them is enough"
    assert shapes.search(file, where={"family": "flange", "date": {"from": "2024"}}) == []

    def remark(*words: object) -> str:
        return CliRunner().invoke(app, ["index", "search", str(file), *map(str, words)], catch_exceptions=False).stderr

    assert "No drawing meets the filters." in remark("--where", "family=flange", "--where", "date=2024..")
    other = paper()
    bracket(other, (300, 200), 400)
    query = save(tmp_path / "c.png", other)
    result = CliRunner().invoke(app, ["index", "search", str(query), "--min-score", "0.999"], catch_exceptions=False)
    assert result.exit_code == 0 and "lower --min-score" in result.stderr


def test_a_box_searches_with_one_view_only(shapes: ShapeSearch, tmp_path: Path) -> None:
    one, two = paper(600, 600), paper(600, 600)
    flange(one, (300, 300), 200)
    shaft(two, (100, 300), 400)
    shapes.add([save(tmp_path / "flange.png", one), save(tmp_path / "shaft.png", two)])
    query = save(tmp_path / "sheet.png", sheet())
    assert shapes.search(query, k=1, box=(120, 120, 480, 480))[0].id == "flange.png"
    assert shapes.search(query, k=1, page=0, box=(560, 200, 1060, 400))[0].id == "shaft.png"
    half = shapes.search(query, k=1, box=(330, 120, 480, 480))[0]
    assert half.view["query_box"][0] >= 330, "a box that holds no view as a whole is searched as it is"
    with pytest.raises(InputRefused, match="no shape was found in the box"):
        shapes.search(query, box=(600, 500, 700, 600))
    for wrong in ((0, 0, 9000, 100), (5, 5, 5, 100), (-1, 0, 50, 50)):
        with pytest.raises(InputRefused, match="within the 1200 x 850 pixels"):
            shapes.search(query, box=wrong)


def test_dates_of_the_parts_list_are_brought_into_one_form(shapes: ShapeSearch, tmp_path: Path) -> None:
    image = paper(600, 600)
    flange(image, (300, 300), 200)
    dates = {"a.png": "2020.8.7", "b.png": "2021年11月02日", "c.png": "24.12.2019", "d.png": "spring"}
    for name in dates:
        save(tmp_path / name, image)
    rows = "".join(f"{name},{date}\n" for name, date in dates.items())
    (tmp_path / "parts.csv").write_text("file,date\n" + rows, encoding="utf-8")
    shapes.add([tmp_path])
    assert set(shapes.index.facets()["date"]) == {"2020-08-07", "2021-11-02", "2019-12-24", "spring"}
    found = shapes.search(image, where={"date": {"from": "2020-01-01", "to": "2021-12-31"}})
    assert {hit.id for hit in found} == {"a.png", "b.png"}
