"""The shape index on a real OpenSearch server: the contract, the same answers as the local index, and bad weather."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from drawops.drawings.synth import generate
from drawops.errors import Conflict, DrawopsError, InputRefused, SettingsError, Unavailable
from drawops.settings import load_settings, prepare_home
from drawops.similarity import Document, ShapeSearch, VectorIndex, open_index
from drawops.similarity.opensearch import OpenSearchVectorIndex
from tests.contract.test_vector_index import DIM, Open, VectorIndexContract, axis, document, unit
from tests.servers.opensearch import Server, free_port, guarded, running, without_plugin

pytestmark = pytest.mark.server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("opensearch")) as server:
        yield server


@pytest.fixture
def alias() -> str:
    return f"parts-{uuid.uuid4().hex[:8]}"


class TestOpenSearch(VectorIndexContract):
    @pytest.fixture
    def open(self, server: Server, alias: str) -> Open:
        def opened(dim: int = DIM, version: str = "") -> VectorIndex:
            return open_index(server.url(alias), dim, version=version)

        return opened


class TestOpenSearchHnsw(VectorIndexContract):
    """The same with the graph asked from the first drawing."""

    @pytest.fixture
    def open(self, server: Server, alias: str) -> Open:
        def opened(dim: int = DIM, version: str = "") -> VectorIndex:
            return OpenSearchVectorIndex(server.url(alias), dim, version=version, exact_below=0)

        return opened


def clustered(n: int, dim: int, seed: int) -> np.ndarray:
    """(n, dim) vectors in groups, as parts come in families."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n // 50, dim))
    vectors = centres[rng.integers(len(centres), size=n)] + 0.5 * rng.normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("exact_below", [20_000, 100], ids=["exact", "graph"])
def test_the_same_query_gives_the_same_ten_drawings_as_the_local_index(
    server: Server, alias: str, tmp_path: Path, exact_below: int
) -> None:
    vectors, rng = clustered(3_000, 64, 1), np.random.default_rng(2)
    vectors[2_000] = vectors[1_000]  # two of the same shape: the order is that of their ids
    documents = [
        Document(f"图{i}", vectors[3 * i : 3 * i + 3], [{"page": 0}] * 3, {"family": "ab"[i % 2], "pages": i % 4})
        for i in range(1_000)
    ]
    local = open_index(f"sqlite:///{tmp_path / 'shapes.db'}", 64)
    remote = OpenSearchVectorIndex(server.url(alias), 64, exact_below=exact_below)
    with closing(local), closing(remote):
        local.upsert(documents)
        remote.upsert(documents)
        for number in range(25):
            query = vectors[rng.integers(3_000, size=1 + number % 3)] + 0.05 * rng.normal(size=(1 + number % 3, 64))
            where = (None, {"family": "a"}, {"family": ["a", "b"], "pages": 2})[number % 3]
            for limits in ({"k": 10}, {"k": 10, "min_score": 0.7}, {"k": None, "min_score": 0.75}):
                here, there = (index.search(query, where=where, **limits) for index in (local, remote))
                assert [m.id for m in here] == [m.id for m in there]
                assert [m.score for m in here] == pytest.approx([m.score for m in there], abs=2e-6)
                assert [(m.view_number, m.query_number) for m in here] == [
                    (m.view_number, m.query_number) for m in there
                ]
                assert [m.metadata for m in here] == [m.metadata for m in there]


@pytest.mark.slow
def test_the_graph_finds_nearly_what_comparing_with_all_finds(server: Server, alias: str) -> None:
    vectors = clustered(8_000, 64, 3)
    with closing(OpenSearchVectorIndex(server.url(alias), 64, exact_below=100)) as index:
        index.upsert(Document(str(i), v[None], [{}]) for i, v in enumerate(vectors))
        assert index._loaded == 0, "a load of this size merges the segments"
        found = 0
        for query in clustered(50, 64, 3) + 0.01:
            exact = {str(i) for i in np.argsort(-(vectors @ query))[:10]}
            found += len(exact & {m.id for m in index.search(query, k=10)})
        assert found / 500 >= 0.98


@pytest.mark.slow
def test_more_answers_than_one_page_holds(server: Server, alias: str) -> None:
    with closing(open_index(server.url(alias), DIM)) as index:
        index.upsert(document(f"d{i:04}", v) for i, v in enumerate(unit(np.random.default_rng(4), 2_500)))
        everything = index.search(axis(1), k=None, min_score=0)
        assert {m.id for m in everything} == index.ids() and len(everything) == 2_500
        scores = [round(m.score, 6) for m in everything]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.slow
def test_a_load_goes_on_when_the_server_is_killed_and_started_again(tmp_path: Path) -> None:
    with running(tmp_path / "node") as server:
        url, vectors, failures = server.url("parts"), unit(np.random.default_rng(5), 15_000), []
        index = OpenSearchVectorIndex(url, DIM, patience_s=120)
        index.upsert([document("before", axis(1))])

        def load() -> None:
            try:
                index.upsert(document(f"d{i}", np.stack([v] * 4)) for i, v in enumerate(vectors))
            except DrawopsError as exc:
                failures.append(exc)

        loading = threading.Thread(target=load)
        loading.start()
        with closing(OpenSearchVectorIndex(url, DIM)) as other:
            end = time.monotonic() + 120
            while other.count() < 2:  # until some of the load has come through, as far as a refresh shows
                other._refresh()
                assert loading.is_alive() and time.monotonic() < end
        server.kill()
        assert loading.is_alive(), "the load was over before the kill"
        server.start()
        loading.join(timeout=240)
        assert not loading.is_alive() and not failures
        with closing(OpenSearchVectorIndex(url, DIM)) as index:
            assert index.count() == 15_001
            assert index.ids() == {"before", *(f"d{i}" for i in range(15_000))}
            assert index.search(vectors[14_999], k=1)[0].score == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_drawings_go_on_being_added_when_the_server_is_killed_between_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "drawings", drawings=4, seed=3, formats=("png",))
    with running(tmp_path / "node") as server:
        monkeypatch.setenv("DRAWOPS_INDEX", server.url("parts"))
        starting: list[threading.Thread] = []

        def on_file(name: str, number: int, total: int) -> None:
            if number == 3:
                server.kill()
                starting.append(threading.Timer(3, server.start))
                starting[0].start()

        with closing(ShapeSearch(prepare_home(load_settings(tmp_path / "home")))) as search:
            added = search.add([tmp_path / "drawings"], on_file=on_file)
            assert len(added.drawings) == 4 and not added.refused
            starting[0].join()
            assert search.index.ids() == set(added.drawings)


@pytest.mark.slow
def test_a_server_that_stays_away_is_named_and_what_was_stored_is_counted(tmp_path: Path) -> None:
    with running(tmp_path / "node") as server:
        index = OpenSearchVectorIndex(server.url("parts"), DIM, patience_s=1)
        index.upsert([document("a", axis(1))])
        server.kill()
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{server.port}/parts does not answer.*0 documents"):
            index.upsert([document("b", axis(1))])
        with pytest.raises(Unavailable, match="does not answer"):
            index.search(axis(1))
        server.start()
        assert index.ids() == {"a"}
        index.close()


def test_no_server_there() -> None:
    with pytest.raises(Unavailable, match=r"does not answer.*Is OpenSearch running there\?"):
        open_index(f"opensearch://me:secret@127.0.0.1:{free_port()}/parts", DIM)


@pytest.mark.slow
def test_a_server_without_the_plug_in_is_told_apart(server: Server, tmp_path: Path) -> None:
    with (
        without_plugin(tmp_path / "plain") as port,
        closing(open_index(f"opensearch://127.0.0.1:{port}/parts", DIM)) as index,
        pytest.raises(SettingsError, match="no k-NN plug-in.*opensearch-plugin install"),
    ):
        index.upsert([document("a", axis(1))])


def test_tls_and_password(server: Server, alias: str, tmp_path: Path) -> None:
    with guarded(server.port, tmp_path) as port:
        place, trusted = f"127.0.0.1:{port}/{alias}", f"?ca={tmp_path / 'ca.pem'}"
        right = "%E7%94%A8%E6%88%B7:p%40ss%3Aw%C3%B6rd"
        with closing(open_index(f"opensearchs://{right}@{place}{trusted}", DIM)) as index:
            index.upsert([document("a", axis(1))])
            assert index.search(axis(1))[0].id == "a"
        with closing(open_index(f"opensearchs://{right}@{place}?verify=off", DIM)) as index:
            assert index.count() == 1
        with pytest.raises(SettingsError, match="refuses user 'me' with this password") as refused:
            open_index(f"opensearchs://me:secret@{place}{trusted}", DIM)
        assert "secret" not in str(refused.value)
        with pytest.raises(SettingsError, match="without user and password"):
            open_index(f"opensearchs://{place}{trusted}", DIM)
        with pytest.raises(SettingsError, match="certificate is not trusted.*ca="):
            open_index(f"opensearchs://{right}@{place}", DIM)
        with pytest.raises(Unavailable, match="If it speaks TLS, write opensearchs"):
            open_index(f"opensearch://{right}@{place}", DIM)


def test_the_alias_moves_to_another_embedding_version_in_one_step(server: Server, alias: str) -> None:
    with closing(open_index(server.url(alias), DIM, version="shape-1")) as old:
        old.upsert([document("a", axis(1))])
        assert old.active == "shape-1"
        with closing(open_index(server.url(alias), DIM * 2, version="shape-2")) as new:
            new.upsert([Document("a", np.ones((1, DIM * 2)), [{}])])
            assert new.active == "shape-1", "re-embedding runs beside the version in service"
            assert new.activate() == [] and new.active == "shape-2"
            assert old.count() == 1
            assert new.activate(remove_others=True) == ["shape-1"]
            assert new.stats()["other_versions"] == {} and new.count() == 1


def test_another_index_of_that_name_is_left_alone(server: Server, alias: str) -> None:
    with closing(open_index(server.url(alias), DIM)) as index:
        index._client.indices.create(index=f"{alias}-other")
        with pytest.raises(Conflict, match="is an index there, not an alias"):
            open_index(server.url(f"{alias}-other"), DIM)
        index.upsert([document("a", axis(1))])
        index.activate(remove_others=True)
        assert index._client.indices.exists(index=f"{alias}-other")
        index._client.indices.put_alias(index=f"{alias}-other", name=f"{alias}-2")
        with pytest.raises(Conflict, match=f"leads to '{alias}-other' there, which is no shape index"):
            open_index(server.url(f"{alias}-2"), DIM)


def test_an_id_that_the_server_can_not_take_is_refused(server: Server, alias: str) -> None:
    with closing(open_index(server.url(alias), DIM)) as index:
        with pytest.raises(InputRefused, match="512 bytes"):
            index.upsert([document("图" * 171, axis(1))])
        index.upsert([document("图" * 170, axis(1), remark="长" * 20_000)])
        assert index.search(axis(1), where={"remark": "长" * 20_000})[0].id == "图" * 170


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("opensearch://host:9200", "host or alias is missing"),
        ("opensearch://host:port/parts", "Write opensearch://"),
        ("opensearch://me:secret@host/Parts", "no alias 'Parts'"),
        ("opensearch://host/parts?verfy=off", "unknown option 'verfy'"),
        ("opensearchs://host/parts?ca=/no/such.pem", "no certificate file /no/such.pem"),
        ("postgres://me:secret@host/parts", "unknown address"),
    ],
)
def test_a_wrong_address_is_refused_without_repeating_the_password(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        open_index(url, DIM)
    assert "secret" not in str(refused.value)
