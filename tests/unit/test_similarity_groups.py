"""Re-ranking and duplicates, on vectors."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from drawops.errors import InputRefused
from drawops.similarity import Document, open_index
from drawops.similarity.benchmark import retrieval
from drawops.similarity.duplicates import find_duplicates
from drawops.similarity.index import VectorIndex
from drawops.similarity.reranking import diffused, rerank, scores_between, scores_by_size, size_of

DIM = 32


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def kinds(noise: float, *, number: int = 12, each: int = 20) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(number, DIM))
    vectors = np.repeat(centres, each, axis=0) + noise * rng.normal(size=(number * each, DIM))
    return unit(vectors), [f"kind {i // each}" for i in range(number * each)]


def filled(path: Path, documents: dict[str, np.ndarray], **metadata: str) -> VectorIndex:
    index = open_index(f"sqlite:///{path / 'shapes.db'}", DIM)
    index.upsert(Document(id, np.atleast_2d(v), [{}] * len(np.atleast_2d(v)), metadata) for id, v in documents.items())
    return index


def test_reranking_brings_more_of_a_kind_forward() -> None:
    vectors, labels = kinds(noise=1.1)
    plain, ranked = retrieval(vectors, labels), retrieval(vectors, labels, rerank=True)
    assert ranked.bulls_eye > plain.bulls_eye + 3
    assert ranked.mean_ap > plain.mean_ap + 3


def test_reranking_keeps_every_drawing_once_whatever_their_number() -> None:
    vectors, _ = kinds(noise=0.5)
    for count in (0, 1, 2, 3, 7, 50):
        assert sorted(rerank(vectors[:1], [v[None] for v in vectors[1 : count + 1]])) == list(range(count))


def test_a_twin_of_the_query_stays_first() -> None:
    vectors, _ = kinds(noise=0.8)
    order = diffused(scores_between([v[None] for v in (vectors[0], *vectors[1:60], vectors[0])]))
    assert order[0] == 59


def test_scores_between_drawings_are_those_of_a_search(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drawings = {f"d{i}": unit(rng.normal(size=(1 + i % 3, DIM))) for i in range(9)}
    scores = scores_between(list(drawings.values()))
    with closing(filled(tmp_path, drawings)) as index:
        for row, vectors in zip(scores, drawings.values(), strict=True):
            found = {m.id: m.score for m in index.search(vectors, k=9)}
            assert [found[f"d{i}"] for i in range(9)] == pytest.approx(row, abs=1e-5)


def test_views_as_large_beside_each_other_as_the_querys_say_more_than_a_little_likeness() -> None:
    """A stud's end is as high as its long side; a ring's front is as high as its section is long."""
    rng = np.random.default_rng(4)
    stud = unit(rng.normal(size=(2, DIM)))  # the long side, the end
    ring, other_stud = unit(stud + 0.03 * rng.normal(size=stud.shape)), unit(stud + 0.05 * rng.normal(size=stud.shape))
    long, end, section = size_of((0, 0, 600, 100)), size_of((700, 0, 800, 100)), size_of((0, 0, 16, 100))
    plain = scores_between([stud, ring, other_stud])[0, 1:]
    assert plain[0] > plain[1]
    sized = scores_by_size(stud, [long, end], [ring, other_stud], [[section, end], [long, end]])
    assert sized == pytest.approx([plain[0] - (long - section) * 0.1 / 2 / 2, plain[1]], abs=1e-6)
    twice = scores_by_size(stud, [long, end], [ring, other_stud], [[section + 1, end + 1], [long + 1, end + 1]])
    assert twice == pytest.approx(sized), "another scale of the sheet changes nothing"
    alone = scores_by_size(stud[:1], [long], [ring[:1]], [[section]])
    assert alone == pytest.approx(scores_between([stud[:1], ring[:1]])[0, 1:]), "a view alone has no scale"


def test_duplicates_are_grouped_and_the_weakest_link_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    part, other, alone = unit(rng.normal(size=(3, 2, DIM)))
    slightly = unit(part + 0.02 * rng.normal(size=part.shape))
    documents = {"法兰.dxf": part, "a.pdf": slightly, "c.png": part[::-1], "x.pdf": other, "y.pdf": other, "z": alone}
    with closing(filled(tmp_path, documents)) as index:
        groups = find_duplicates(index)
        assert [g.drawings for g in groups] == [["a.pdf", "c.png", "法兰.dxf"], ["x.pdf", "y.pdf"]]
        assert 0.99 < groups[0].score < 1 and groups[1].score == pytest.approx(1, abs=1e-6)
        assert len(find_duplicates(index, min_score=groups[0].score + 1e-3)) == 2, "c.png is 法兰.dxf turned over"
        assert find_duplicates(index, min_score=0.9999)[0].drawings == ["c.png", "法兰.dxf"]


def test_duplicates_are_looked_for_among_the_drawings_asked_for(tmp_path: Path) -> None:
    part = unit(np.random.default_rng(4).normal(size=DIM))
    with closing(filled(tmp_path, {"a": part, "b": part}, plant="苏州")) as index:
        index.upsert([Document("c", part[None], [{}], {"plant": "Köln"})])
        assert [g.drawings for g in find_duplicates(index)] == [["a", "b", "c"]]
        assert [g.drawings for g in find_duplicates(index, where={"plant": "苏州"})] == [["a", "b"]]
        assert find_duplicates(index, where={"plant": "Köln"}) == []


def test_one_common_view_makes_no_duplicate(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    disc, plate, cone = unit(rng.normal(size=(3, DIM)))
    with closing(filled(tmp_path, {"disc": disc, "hub": np.stack([disc, plate, cone])})) as index:
        assert index.search(disc, k=2)[1].score == pytest.approx(1, abs=1e-6)
        assert find_duplicates(index) == []


def test_a_threshold_that_no_score_can_reach_is_refused(tmp_path: Path) -> None:
    with closing(filled(tmp_path, {"a": np.ones(DIM)})) as index, pytest.raises(InputRefused, match="min_score=1.2"):
        find_duplicates(index, min_score=1.2)
