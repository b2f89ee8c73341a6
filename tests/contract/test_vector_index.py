"""What every VectorIndex promises. A new backend is one more class with an `open` fixture."""

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest

from drawops.errors import DrawopsError, InputRefused
from drawops.similarity import Document, LocalVectorIndex, VectorIndex, open_index

DIM = 16
Open = Callable[..., VectorIndex]


def unit(rng: np.random.Generator, n: int = 1) -> np.ndarray:
    vectors = rng.normal(size=(n, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def document(id: str, vectors: np.ndarray, **metadata: object) -> Document:
    vectors = np.atleast_2d(vectors)
    return Document(id, vectors, [{"page": 0, "view": i} for i in range(len(vectors))], metadata)


def axis(*values: float) -> np.ndarray:
    """A vector with these first components."""
    return np.array([*values, *[0.0] * (DIM - len(values))], np.float32)


class VectorIndexContract:
    @pytest.fixture
    def open(self) -> Open:
        """Opens the index at one place, as often as it is called: open(dim=…, version=…)."""
        raise NotImplementedError

    @pytest.fixture
    def index(self, open: Open) -> Iterator[VectorIndex]:
        with closing(open()) as index:
            yield index

    def test_scores_are_half_of_one_plus_the_cosine(self, index: VectorIndex) -> None:
        index.upsert([document("same", axis(2)), document("across", axis(0, 1)), document("opposite", axis(-1))])
        index.upsert([document("between", axis(1, 1))])
        found = index.search(axis(3), k=4)
        assert [m.id for m in found] == ["same", "between", "across", "opposite"]
        assert [m.score for m in found] == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0], abs=1e-6)

    def test_k_counts_documents_and_the_best_view_gives_the_score(self, index: VectorIndex) -> None:
        index.upsert([document("many", np.stack([axis(0, 1), axis(1, 0.1), axis(1)])), document("one", axis(1, 0.5))])
        found = index.search(axis(1), k=2)
        assert [m.id for m in found] == ["many", "one"]
        assert found[0].score == pytest.approx(1, abs=1e-6)
        assert found[0].view_number == 2 and found[0].view == {"page": 0, "view": 2}

    def test_several_query_vectors_count_alike_each_with_its_best_view(self, index: VectorIndex) -> None:
        index.upsert([document("both", np.stack([axis(1), axis(0, 1), axis(0, 0, 1)])), document("one", axis(0, 1))])
        found = index.search(np.stack([axis(0, 1), axis(0, 0, 1, 1)]), k=2)
        assert [m.id for m in found] == ["both", "one"]
        assert [m.score for m in found] == pytest.approx([0.75 + 0.5**1.5 / 2, 0.75], abs=1e-6)
        assert [(m.view_number, m.query_number) for m in found] == [(1, 0), (0, 0)]

    def test_the_same_answers_as_comparing_with_all(self, index: VectorIndex) -> None:
        rng = np.random.default_rng(1)
        vectors = unit(rng, 300)
        index.upsert(document(f"d{i:03}", v) for i, v in enumerate(vectors))
        for query in unit(rng, 10):
            expected = [f"d{i:03}" for i in np.argsort(-(vectors @ query))[:5]]
            assert [m.id for m in index.search(query, k=5)] == expected

    def test_min_score_bounds_the_answer_with_or_without_k(self, index: VectorIndex) -> None:
        index.upsert([document(f"{a}", axis(np.cos(a), np.sin(a))) for a in (0.0, 0.2, 0.4, 0.6, 2.0)])
        limit = (1 + np.cos(0.5)) / 2
        assert [m.id for m in index.search(axis(1), k=None, min_score=limit)] == ["0.0", "0.2", "0.4"]
        assert [m.id for m in index.search(axis(1), k=2, min_score=limit)] == ["0.0", "0.2"]
        assert index.search(axis(0, 0, 1), k=3, min_score=0.9) == []

    def test_filters_narrow_the_answer_to_what_has_the_metadata(self, index: VectorIndex) -> None:
        rng = np.random.default_rng(2)
        families = ["flange", "shaft", "法兰"]
        index.upsert(document(f"d{i}", v, family=families[i % 3], holes=i % 2) for i, v in enumerate(unit(rng, 60)))
        query = unit(rng)[0]
        found = index.search(query, k=50, where={"family": "法兰"})
        assert len(found) == 20 and {m.metadata["family"] for m in found} == {"法兰"}
        found = index.search(query, k=50, where={"family": ["flange", "shaft"], "holes": 1})
        assert {(m.metadata["family"], m.metadata["holes"]) for m in found} == {("flange", 1), ("shaft", 1)}
        assert index.search(query, k=5, where={"family": "gear"}) == []

    def test_metadata_keep_their_order(self, index: VectorIndex) -> None:
        names = ["类别", "图号", "材料", "日期", "重量", "车间"]
        index.upsert([document("a", axis(1), **dict.fromkeys(names, "x"))])
        assert [*index.search(axis(1))[0].metadata] == [*index.get_many(["a"])[0].metadata] == names

    def test_a_range_takes_in_both_its_ends(self, index: VectorIndex) -> None:
        dates = ["2023-12-31", "2024-01-01", "2024-06-30", "2025-01-01"]
        index.upsert(document(d, axis(1, 0.1 * i), date=d, holes=i - 2, 件="x") for i, d in enumerate(dates))

        def found(**where: object) -> list[str]:
            return sorted(m.id for m in index.search(axis(1), k=9, where=where))

        assert found(date={"from": "2024-01-01", "to": "2024-06-30"}) == dates[1:3]
        assert found(date={"from": "2024-06-30"}) == dates[2:]
        assert found(date={"to": "2024-01-01"}) == dates[:2]
        assert found(holes={"from": -1, "to": 0.5}) == dates[1:3]
        assert found(holes={"from": -2}, date={"to": "2024-06-30"}) == dates[:3]
        assert found(holes={"from": "0"}) == dates[2:] and found(date={"from": 0}) == []
        for wrong in ({}, {"from": 2, "to": 1}, {"from": 2, "to": "x"}, {"since": 1}):
            with pytest.raises(InputRefused, match="filter 'holes'"):
                index.search(axis(1), where={"holes": wrong})

    def test_numbers_that_a_parts_list_wrote_as_text_are_compared_as_numbers(self, index: VectorIndex) -> None:
        weights = ["0.160", "4.5", "12", "100", "-3", "12 kg", "45"]
        index.upsert(document(w, axis(1, 0.1 * i), weight=w) for i, w in enumerate(weights))

        def found(**ends: object) -> set[str]:
            hits = {m.id for m in index.search(axis(1), k=9, where={"weight": ends})}
            assert index.count({"weight": ends}) == len(hits)
            return hits

        assert found(**{"from": "0.2", "to": "5"}) == {"4.5"}
        assert found(**{"from": "5", "to": "20"}) == {"12"} == found(**{"from": 5, "to": 20})
        assert index.count({"weight": 12}) == 1 == index.count({"weight": "12"}), "also where one asks for exactly that"
        assert found(to="0") == {"-3"} and found(**{"from": "46"}) == {"100"}
        assert found(**{"from": "1", "to": "2 kg"}) == {"12", "100", "12 kg"}, "as text where an end is no number"

    def test_a_range_of_dates_is_refused_where_an_end_is_no_date(self, index: VectorIndex) -> None:
        dates = ["2019-11-05", "2024-06-30", "spring"]
        index.upsert(document(d, axis(1, 0.1 * i), date=d, grade=d) for i, d in enumerate(dates))
        for ends in (
            {"from": "2024-13-99"},
            {"from": "abc"},
            {"from": "2024-01-01", "to": "30.02.2024"},
            {"to": "6/24"},
        ):
            with pytest.raises(InputRefused, match="filter 'date': .* is no date; write 2019-11-05"):
                index.search(axis(1), where={"date": ends})
        assert index.search(axis(1), where={"grade": {"from": "abc", "to": "abd"}}) == [], "text is no date"
        printed = index.search(axis(1), where={"date": {"from": "05.11.2019", "to": "2019年12月1日"}})
        assert [m.id for m in printed] == ["2019-11-05"]
        for day in ("05.11.2019", "2019.11.5", "2019-11-05"):
            assert [m.id for m in index.search(axis(1), where={"date": day})] == ["2019-11-05"]
        for known in ({"from": "2024"}, {"from": "2024-06", "to": "2024-07"}, {"from": "2024-06-29T08:30:00"}):
            assert "2024-06-30" in [m.id for m in index.search(axis(1), where={"date": known})]

    def test_what_meets_a_filter_is_counted(self, index: VectorIndex) -> None:
        families = ["flange", "shaft", "法兰", "法兰"]
        index.upsert(document(f"d{i}", axis(1), family=f, holes=i) for i, f in enumerate(families))
        assert index.count() == index.count({}) == 4
        assert index.count({"family": "法兰"}) == 2 and index.count({"family": ["flange", "法兰"], "holes": 3}) == 1
        assert index.count({"holes": {"from": 1}}) == 3 and index.count({"family": "gear"}) == 0
        with pytest.raises(InputRefused, match="famly.*Did you mean 'family'"):
            index.count({"famly": "flange"})

    def test_facets_count_the_values_of_each_field(self, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1), family="法兰", holes=4), document("b", axis(1), family="法兰")])
        index.upsert([document("c", axis(0, 1), family="轴 (阶梯)")])
        assert index.facets() == {"family": {"法兰": 2, "轴 (阶梯)": 1}, "holes": {4: 1}}
        index.delete(["a"])
        assert index.facets()["family"] == {"法兰": 1, "轴 (阶梯)": 1}

    def test_an_unknown_filter_field_names_the_nearest(self, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1), family="flange")])
        with pytest.raises(InputRefused, match="famly.*Did you mean 'family'"):
            index.search(axis(1), where={"famly": "flange"})

    def test_a_field_that_only_removed_documents_had_is_unknown_again(self, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1), family="flange", holes=2**70), document("b", axis(1))])
        assert index.stats()["fields"] == ["family", "holes"]
        assert [m.id for m in index.search(axis(1), where={"holes": {"from": 5}})] == ["a"]
        index.upsert([document("a", axis(1), family="hub")])
        assert index.stats()["fields"] == ["family"] and index.search(axis(1), where={"family": "flange"}) == []
        index.delete(["a"])
        with pytest.raises(InputRefused, match="no drawing has this field"):
            index.search(axis(1), where={"family": "hub"})

    def test_an_upsert_replaces_the_whole_document(self, index: VectorIndex) -> None:
        index.upsert([document("a", np.stack([axis(1), axis(0, 1)]), rev="A")])
        index.upsert([document("a", axis(0, 0, 1), rev="B")])
        assert index.count() == 1
        found = index.search(axis(1), k=5)
        assert [(m.id, m.metadata) for m in found] == [("a", {"rev": "B"})]
        assert found[0].score == pytest.approx(0.5, abs=1e-6)

    def test_a_deleted_document_is_in_no_answer(self, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1)), document("b", axis(1, 0.1))])
        assert index.search(axis(1), k=1)[0].id == "a"
        assert index.delete(["a", "never was"]) == 1
        assert [m.id for m in index.search(axis(1), k=5)] == ["b"]
        assert index.get("a") is None and index.ids() == {"b"}

    def test_what_another_connection_changes_is_seen_at_once(self, open: Open, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1)), document("b", axis(0, 1))])
        assert index.search(axis(1), k=1)[0].id == "a"
        with closing(open()) as other:
            other.delete(["a"])
            other.upsert([document("c", axis(1, 0.1))])
        assert [m.id for m in index.search(axis(1), k=5)] == ["c", "b"]

    def test_get_returns_what_was_stored(self, index: VectorIndex) -> None:
        vectors = unit(np.random.default_rng(3), 2)
        stored = Document("图纸-1.pdf", vectors, [{"page": 0}, {"page": 1}], {"name": "轴"}, (b"png one", b"png two"))
        index.upsert([stored])
        got = index.get("图纸-1.pdf")
        assert got is not None
        np.testing.assert_allclose(got.vectors, vectors, atol=1e-6)
        assert (got.views, got.metadata, got.thumbnails) == (
            ({"page": 0}, {"page": 1}), {"name": "轴"}, (b"png one", b"png two"),
        )  # fmt: skip
        assert index.search(vectors[1], k=1)[0].thumbnail == b"png two"

    def test_what_was_stored_is_there_after_opening_again(self, open: Open) -> None:
        with closing(open()) as index:
            index.upsert([document("a", axis(1))])
        with closing(open()) as index:
            assert index.count() == 1 and index.search(axis(1))[0].id == "a"

    def test_vectors_of_different_embedding_versions_never_mix(self, open: Open) -> None:
        with closing(open(version="one")) as one, closing(open(version="two", dim=DIM + 1)) as two:
            one.upsert([document("a", axis(1), family="x")])
            two.upsert([Document("b", np.ones((1, DIM + 1), np.float32), [{}])])
            assert [m.id for m in one.search(axis(1), k=5)] == ["a"]
            assert [m.id for m in two.search(np.ones(DIM + 1), k=5)] == ["b"]
            assert one.count() == two.count() == 1
            assert one.delete(["b"]) == 0

    def test_another_version_is_filled_beside_the_one_in_service_and_takes_its_place(self, open: Open) -> None:
        with closing(open(version="one")) as one, closing(open(version="two", dim=DIM + 1)) as two:
            one.upsert([document("a", axis(1), family="x")])
            two.upsert([Document("b", np.ones((1, DIM + 1), np.float32), [{}])])
            assert one.stats()["active"] == two.stats()["active"] == "one"
            assert two.activate() == [] and two.stats()["active"] == one.stats()["active"] == "two"
            assert one.count() == 1, "the version before is kept until it is removed"
            assert two.stats()["other_versions"] == {"one": 1}
            assert two.activate(remove_others=True) == ["one"]
            assert two.stats()["other_versions"] == {} and two.ids() == {"b"}
        with closing(open(version="one")) as one:
            assert one.count() == 0 and one.search(axis(1)) == []

    def test_of_drawings_that_are_alike_the_ids_decide(self, index: VectorIndex) -> None:
        index.upsert([document(name, axis(1, 1)) for name in ("c", "a", "d", "b")])
        assert [m.id for m in index.search(axis(1), k=2)] == ["a", "b"]

    @pytest.mark.parametrize("value", [None, {"a": 1}, float("nan"), [["x"]]])
    def test_a_filter_value_that_no_metadata_can_have_is_refused(self, index: VectorIndex, value: object) -> None:
        index.upsert([document("a", axis(1), family="flange")])
        with pytest.raises(InputRefused, match="filter 'family'"):
            index.search(axis(1), where={"family": value})

    @pytest.mark.parametrize(
        ("vector", "reason"),
        [
            (np.ones(DIM + 1), "dimension"),
            (np.full(DIM, np.nan), "NaN"),
            (np.full(DIM, np.inf), "NaN or infinite"),
            (np.zeros(DIM), "all zeros"),
            (np.empty((0, DIM)), "no vector"),
            (["a"] * DIM, "numbers"),
        ],
    )
    def test_a_wrong_vector_is_refused_by_search_and_upsert(
        self, index: VectorIndex, vector: object, reason: str
    ) -> None:
        index.upsert([document("a", axis(1))])
        with pytest.raises(InputRefused, match=reason):
            index.search(vector)  # type: ignore[arg-type]
        wrong = Document("b", vector, [{}])  # type: ignore[arg-type]
        with pytest.raises(InputRefused, match=reason):
            index.upsert([document("c", axis(1)), wrong])
        assert index.ids() == {"a"}, "an upsert is stored in full or not at all"

    @pytest.mark.parametrize(
        "query", [{"k": 0}, {"k": -1}, {"k": None}, {"k": 1, "min_score": 1.5}, {"k": 1, "min_score": float("nan")}]
    )
    def test_a_query_that_can_mean_nothing_is_refused(self, index: VectorIndex, query: dict) -> None:
        index.upsert([document("a", axis(1))])
        with pytest.raises(InputRefused, match=r"k|min_score"):
            index.search(axis(1), **query)

    def test_metadata_that_no_filter_could_ask_for_is_refused(self, index: VectorIndex) -> None:
        for bad in ({"a": [1]}, {"a": float("nan")}, {'a"b': 1}):
            with pytest.raises(InputRefused, match="metadata"):
                index.upsert([Document("x", axis(1)[None], [{}], bad)])
        assert index.count() == 0

    def test_an_index_of_another_dimension_is_refused(self, open: Open, index: VectorIndex) -> None:
        index.upsert([document("a", axis(1))])
        with pytest.raises(DrawopsError, match="dimension"):
            open(dim=DIM * 2).upsert([Document("b", np.ones((1, DIM * 2)), [{}])])

    def test_saving_after_a_load_changes_no_answer(self, index: VectorIndex) -> None:
        vectors = unit(np.random.default_rng(6), 200)
        index.upsert(document(f"d{i}", v) for i, v in enumerate(vectors))
        before = [m.id for m in index.search(vectors[5], k=7)]
        index.save()
        assert [m.id for m in index.search(vectors[5], k=7)] == before and before[0] == "d5"

    def test_an_empty_index_finds_nothing(self, index: VectorIndex) -> None:
        assert index.search(axis(1), k=3) == [] and index.count() == 0 and index.stats()["documents"] == 0


class TestLocalExact(VectorIndexContract):
    @pytest.fixture
    def open(self, tmp_path) -> Open:
        def opened(dim: int = DIM, version: str = "") -> VectorIndex:
            return open_index(f"sqlite:///{tmp_path / '形状.db'}", dim, version=version)

        return opened


class TestLocalHnsw(VectorIndexContract):
    """The same with the graph in use from the first vector."""

    @pytest.fixture
    def open(self, tmp_path) -> Open:
        def opened(dim: int = DIM, version: str = "") -> VectorIndex:
            return LocalVectorIndex(tmp_path / "形状.db", dim, version=version, exact_below=0)

        return opened
