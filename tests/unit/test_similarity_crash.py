"""The local index under SIGKILL, and with a damaged or foreign sidecar beside it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from drawops.similarity import Document, LocalVectorIndex

DIM = 32
KILLS = int(os.environ.get("KILLS", "10"))  # docs/similarity.md: 100
WRITER = """
import sys
from pathlib import Path
import numpy as np
from drawops.similarity import Document, LocalVectorIndex

path, start, dim = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
index = LocalVectorIndex(path, dim, version="v", exact_below=10)
for i in range(start, start + 1_000_000):
    vector = np.random.default_rng(i).normal(size=(1, dim))  # as vector_of below
    index.upsert([Document(f"d{i}", vector, [{}])])
    print(f"+d{i}", flush=True)
    if i % 3 == 0:
        print(f"?d{i - 2}", flush=True)  # its removal begins: from now on it may be there or not
        index.delete([f"d{i - 2}"])
        print(f"-d{i - 2}", flush=True)
    if i % 5 == 0:
        print("saving", flush=True)
        index.save()
        print("saved", flush=True)
"""


def open_graph(path: Path) -> LocalVectorIndex:
    return LocalVectorIndex(path, DIM, version="v", exact_below=10)


def vector_of(i: int) -> np.ndarray:
    return np.random.default_rng(i).normal(size=DIM).astype(np.float32)


def filled(path: Path, n: int = 200) -> LocalVectorIndex:
    index = open_graph(path)
    index.upsert(Document(f"d{i}", vector_of(i)[None], [{}]) for i in range(n))
    return index


def finds_itself(index: LocalVectorIndex, i: int) -> bool:
    found = index.search(vector_of(i), k=1)
    return bool(found) and found[0].id == f"d{i}" and found[0].score > 0.9999


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_acknowledged_and_nothing_deleted_comes_back(tmp_path: Path) -> None:
    path, rng = tmp_path / "shapes.db", np.random.default_rng(0)
    there: set[str] = set()
    uncertain: set[str] = set()
    killed_while_saving = caught_up = 0
    for round_number in range(KILLS):
        log = tmp_path / f"{round_number}.log"
        with log.open("w") as out:
            child = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), str(round_number * 1_000_000), str(DIM)],
                stdout=out,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
            try:
                wait_for(lambda file=log: file.stat().st_size > 400, child)
                time.sleep(rng.uniform(0, 0.3))
            finally:
                child.send_signal(signal.SIGKILL)
                child.wait()
        lines = log.read_text().splitlines()
        killed_while_saving += lines[-1] == "saving"
        last = 0
        for line in lines:
            kind, name = line[0], line[1:]
            if kind == "+":
                there.add(name)
                last = int(name[1:])
            elif kind in "?-":
                there.discard(name)
                (uncertain.add if kind == "?" else uncertain.discard)(name)
        uncertain.add(f"d{last + 1}")  # it may have been stored without our hearing of it
        with closing(open_graph(path)) as index:
            assert there <= index.ids() <= there | uncertain
            assert all(finds_itself(index, int(name[1:])) for name in there)
            answers = {m.id for i in range(30) for m in index.search(vector_of(-i % 97), k=20)}
            assert answers <= there | uncertain
            caught_up += index._sidecar.active
    assert len(there) > 100 and caught_up == KILLS


def wait_for(condition, child: subprocess.Popen, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert child.poll() is None, "the writer ended by itself"
        assert time.monotonic() < end, "the writer does not get going"
        time.sleep(0.01)


def test_the_sidecar_is_read_again_rather_than_built(tmp_path: Path) -> None:
    filled(tmp_path / "shapes.db").close()
    with closing(open_graph(tmp_path / "shapes.db")) as index:
        assert finds_itself(index, 7)
        assert index._sidecar.unsaved == 0 and index._sidecar.size == 200


def test_a_sidecar_that_lags_behind_catches_up(tmp_path: Path) -> None:
    path = tmp_path / "shapes.db"
    with closing(filled(path)) as index:
        index.save()
        side = index._sidecar.path
        old = side.read_bytes()
        index.upsert([Document("d500", vector_of(500)[None], [{}])])
        index.delete(["d3"])
    side.write_bytes(old)
    with closing(open_graph(path)) as index:
        assert finds_itself(index, 500) and not finds_itself(index, 3) and finds_itself(index, 4)
        assert index._sidecar.unsaved == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "ahead"])
def test_a_sidecar_that_does_not_fit_is_built_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "shapes.db"
    with closing(filled(path)) as index:
        side = index._sidecar.path
    content = side.read_bytes()
    if damage == "cut":
        side.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        side.write_bytes(content[:3000] + bytes([content[3000] ^ 255]) + content[3001:])
    elif damage == "empty":
        side.write_bytes(b"")
    elif damage == "foreign":  # the database was made anew, an old sidecar lay there
        remove_database(path)
        filled(path, 50).close()
        side.write_bytes(content)
    elif damage == "ahead":  # the database was put back from an earlier copy of itself
        with closing(open_graph(path)) as index:
            copy = {p: p.read_bytes() for p in database_files(path)}
            index.upsert([Document(f"d{i}", vector_of(i)[None], [{}]) for i in range(300, 400)])
        remove_database(path)
        for file, data in copy.items():
            file.write_bytes(data)
    with closing(open_graph(path)) as index:
        expected = 50 if damage == "foreign" else 200
        assert all(finds_itself(index, i) for i in range(expected))
        assert index._sidecar.size == expected


def test_an_index_of_an_earlier_version_can_be_filtered(tmp_path: Path) -> None:
    path = tmp_path / "shapes.db"
    with closing(open_graph(path)) as index:
        index.upsert(Document(f"d{i}", vector_of(i)[None], [{}], {"family": "ab"[i % 2]}) for i in range(20))
        facets = index.facets()
    with closing(sqlite3.connect(path)) as db:  # it had no table of values
        db.executescript("DROP TABLE value; CREATE TABLE field (version TEXT, name TEXT);")
    with closing(open_graph(path)) as index:
        assert index.facets() == facets == {"family": {"a": 10, "b": 10}}
        assert {m.id for m in index.search(vector_of(1), k=20, where={"family": "b"})} == {
            f"d{i}" for i in range(1, 20, 2)
        }


def test_a_few_changes_do_not_write_a_large_graph_anew(tmp_path: Path) -> None:
    path = tmp_path / "shapes.db"
    with closing(filled(path, 1_200)) as index:
        index.save()
        written = index._sidecar.path.stat().st_mtime_ns
        index.delete(["d1"])
        index.upsert([Document("new", vector_of(5_000)[None], [{}])])
    assert index._sidecar.path.stat().st_mtime_ns == written
    with closing(open_graph(path)) as index:
        assert index.search(vector_of(5_000), k=1)[0].id == "new" and not finds_itself(index, 1)


def database_files(path: Path) -> list[Path]:
    return [p for p in (path, path.with_name(path.name + "-wal")) if p.exists()]


def remove_database(path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        if file.suffix != ".hnsw":
            file.unlink()
