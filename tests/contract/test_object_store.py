"""The ObjectStore contract: what the protocol's docstrings promise, for every backend. A backend is one fixture."""

import threading
from pathlib import Path

import pytest

from drawops.errors import InputRefused, NotFound, SettingsError
from drawops.storage import LocalObjectStore, ObjectStore, open_store


class ObjectStoreContract:
    @pytest.fixture
    def store(self) -> ObjectStore:
        raise NotImplementedError

    def test_what_is_put_can_be_got(self, store: ObjectStore) -> None:
        assert store.put("raw/a.pdf", b"bytes") is True
        assert store.get("raw/a.pdf") == b"bytes"

    def test_a_file_can_be_put(self, store: ObjectStore, tmp_path: Path) -> None:
        source = tmp_path / "source.bin"
        source.write_bytes(b"x" * 3_000_000)
        store.put("raw/big.bin", source)
        assert store.get("raw/big.bin") == source.read_bytes()

    def test_keys_may_be_chinese(self, store: ObjectStore) -> None:
        store.put("数据集/零件 ⌀20.json", b"{}")
        assert [info.key for info in store.scan("数据集/")] == ["数据集/零件 ⌀20.json"]

    def test_putting_again_replaces(self, store: ObjectStore) -> None:
        store.put("a", b"first")
        assert store.put("a", b"second") is True
        assert store.get("a") == b"second"

    def test_if_absent_keeps_what_is_there(self, store: ObjectStore) -> None:
        assert store.put("a", b"first", if_absent=True) is True
        assert store.put("a", b"second", if_absent=True) is False
        assert store.get("a") == b"first"

    def test_of_many_that_put_if_absent_at_once_one_wins(self, store: ObjectStore) -> None:
        wins: list[bytes] = []
        start = threading.Barrier(8)

        def race(content: bytes) -> None:
            start.wait()
            if store.put("a", content, if_absent=True):
                wins.append(content)

        threads = [threading.Thread(target=race, args=(bytes([n]) * 1000,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1
        assert store.get("a") == wins[0]

    def test_an_object_is_read_as_a_stream(self, store: ObjectStore) -> None:
        store.put("a", b"0123456789")
        with store.open("a") as stream:
            assert stream.read(4) == b"0123"
            assert stream.read() == b"456789"

    def test_head_says_the_size_or_none(self, store: ObjectStore) -> None:
        store.put("a", b"12345")
        info = store.head("a")
        assert info is not None and (info.key, info.size_bytes) == ("a", 5)
        assert store.head("b") is None

    def test_scan_finds_by_prefix_in_key_order(self, store: ObjectStore) -> None:
        for key in ("pages/b/0.png", "pages/a/10.png", "pages/a/1.png", "raw/x", "pagesize"):
            store.put(key, b"-")
        assert [i.key for i in store.scan("pages/")] == ["pages/a/1.png", "pages/a/10.png", "pages/b/0.png"]
        assert [i.key for i in store.scan("pages/a/1")] == ["pages/a/1.png", "pages/a/10.png"]
        assert [i.key for i in store.scan()] == [
            "pages/a/1.png",
            "pages/a/10.png",
            "pages/b/0.png",
            "pagesize",
            "raw/x",
        ]
        assert list(store.scan("nothing/")) == []

    def test_what_is_deleted_is_gone_and_deleting_again_is_fine(self, store: ObjectStore) -> None:
        store.put("a/b", b"-")
        store.delete("a/b")
        store.delete("a/b")
        assert store.head("a/b") is None

    def test_what_is_not_there_is_not_found(self, store: ObjectStore) -> None:
        for ask in (store.get, store.open, store.local_path):
            with pytest.raises(NotFound, match="missing/key"):
                ask("missing/key")

    def test_a_local_path_holds_the_same_bytes(self, store: ObjectStore) -> None:
        store.put("a", b"bytes")
        path = store.local_path("a")
        assert path is None or path.read_bytes() == b"bytes"

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\b", "a\0b", "a/"])
    def test_a_key_cannot_leave_the_store(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(InputRefused):
            store.put(key, b"-")


class TestLocalObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalObjectStore(tmp_path / "存储")

    def test_a_write_that_fails_leaves_nothing_behind(self, store: LocalObjectStore, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            store.put("a", tmp_path / "not there")
        assert list(store.scan()) == []
        assert list(store.root.rglob("*")) == []

    def test_it_is_opened_by_its_url_also_with_blanks_and_chinese(self, tmp_path: Path) -> None:
        folder = tmp_path / "图纸 store"
        open_store(folder.as_uri()).put("a", b"-")
        assert (folder / "a").read_bytes() == b"-"

    def test_an_unknown_scheme_is_named(self) -> None:
        with pytest.raises(SettingsError, match="ftp"):
            open_store("ftp://host/x")
