"""The ObjectStore contract: what the protocol's docstrings promise, for every backend. A backend is one fixture."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawops.errors import InputRefused, NotFound, SettingsError, Unavailable
from drawops.storage import LocalObjectStore, ObjectStore, open_store
from drawops.storage.bucket import init_bucket
from drawops.storage.s3 import PART_BYTES, S3ObjectStore
from tests.servers import minio


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


class S3Contract(ObjectStoreContract):
    """What a store in a bucket promises beyond the contract, for every server that speaks S3."""

    @pytest.fixture
    def server(self) -> str:
        """The server's endpoint."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "drawops")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "drawops-secret")
        bucket = f"b{abs(hash(tmp_path)):x}"
        store = open_store(f"s3://{bucket}/工厂 1/objects?endpoint={server}")
        assert isinstance(store, S3ObjectStore)
        store.address.client().create_bucket(Bucket=bucket)
        return store

    def test_a_large_object_goes_up_in_parts_and_comes_back(self, store: S3ObjectStore, tmp_path: Path) -> None:
        source = large_file(tmp_path)
        assert store.put("raw/large", source, if_absent=True) is True
        assert store.put("raw/large", source, if_absent=True) is False
        assert store.get("raw/large") == source.read_bytes()
        assert unfinished(store) == []

    def test_an_interrupted_upload_goes_on_with_the_parts_that_are_there(
        self, store: S3ObjectStore, tmp_path: Path
    ) -> None:
        source, sent = large_file(tmp_path), []

        def count(params: dict[str, Any], **_: Any) -> None:
            sent.append(params["PartNumber"])
            if sent == [1, 2]:
                raise KeyboardInterrupt

        events = store.address.client().meta.events
        events.register("before-parameter-build.s3.UploadPart", count)
        try:
            with pytest.raises(KeyboardInterrupt):
                store.put("raw/large", source)
            assert store.head("raw/large") is None
            store.put("raw/large", source)
        finally:
            events.unregister("before-parameter-build.s3.UploadPart", count)
        assert sent == [1, 2, 2, 3]
        assert store.get("raw/large") == source.read_bytes()

    def test_parts_of_other_content_are_not_mixed_in(self, store: S3ObjectStore, tmp_path: Path) -> None:
        s3, bucket = store.address.client(), store.address.bucket
        name = f"{store.address.prefix}raw/large"
        upload = s3.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        s3.upload_part(Bucket=bucket, Key=name, UploadId=upload, PartNumber=1, Body=b"x" * PART_BYTES)
        source = large_file(tmp_path)
        store.put("raw/large", source)
        assert store.get("raw/large") == source.read_bytes()

    def test_a_stream_can_be_read_from_anywhere(self, store: S3ObjectStore) -> None:
        store.put("a", bytes(range(200)))
        with store.open("a") as stream:
            stream.seek(-5, 2)
            assert stream.read() == bytes(range(195, 200))
            stream.seek(10)
            assert stream.read(2) == bytes([10, 11])

    def test_a_download_that_breaks_off_goes_on_behind_the_last_byte(
        self, store: S3ObjectStore, tmp_path: Path
    ) -> None:
        source = large_file(tmp_path)
        store.put("raw/large", source)
        with store.open("raw/large") as stream:
            start = stream.read(1_000_000)
            stream.raw._body._raw_stream.close()  # the connection is gone
            assert start + stream.read() == source.read_bytes()

    def test_other_prefixes_of_the_bucket_are_not_seen(self, store: S3ObjectStore) -> None:
        store.address.client().put_object(Bucket=store.address.bucket, Key="foreign", Body=b"-")
        store.put("a", b"-")
        assert [info.key for info in store.scan()] == ["a"]

    def test_more_objects_than_a_page_holds_are_all_found(self, store: S3ObjectStore) -> None:
        from concurrent.futures import ThreadPoolExecutor

        keys = [f"many/{n:04}" for n in range(1005)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: store.put(key, b"-"), keys))
        assert [info.key for info in store.scan("many/")] == keys

    def test_storage_init_makes_a_bucket_that_keeps_old_versions_and_may_be_run_again(
        self, store: S3ObjectStore, server: str
    ) -> None:
        s3, bucket = store.address.client(), f"{store.address.bucket}-new"
        url = f"s3://{bucket}/工厂?endpoint={server}"
        assert init_bucket(url).made is True
        again = init_bucket(url, keep_old_days=30)
        assert (again.made, again.versioning, again.inbox) == (False, "Enabled", f"s3://{bucket}/工厂/inbox/")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert [r["NoncurrentVersionExpiration"]["NoncurrentDays"] for r in rules if "Noncurrent" in str(r)] == [30]
        new = open_store(url)
        new.put("a", b"first")
        new.put("a", b"second")
        new.delete("a")
        kept = s3.list_object_versions(Bucket=bucket, Prefix="工厂/a")["Versions"]
        bodies = {s3.get_object(Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"])["Body"].read() for v in kept}
        assert bodies == {b"first", b"second"}

    def test_a_bucket_that_is_not_there_is_named_with_what_to_do(self, store: S3ObjectStore, server: str) -> None:
        with pytest.raises(Unavailable, match=r"'nothing-here'.*drawops storage init"):
            open_store(f"s3://nothing-here?endpoint={server}").put("a", b"-")


def large_file(folder: Path) -> Path:
    """Two parts and a bit, every part another."""
    path = folder / "large.bin"
    path.write_bytes(b"".join(bytes([n]) * PART_BYTES for n in (1, 2)) + b"end")
    return path


def unfinished(store: S3ObjectStore) -> list[Any]:
    return store.address.client().list_multipart_uploads(Bucket=store.address.bucket).get("Uploads", [])


class TestOnMoto(S3Contract):
    @pytest.fixture(scope="class")
    def server(self) -> Iterator[str]:
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        yield "http://{}:{}".format(*server.get_host_and_port())
        server.stop()


@pytest.mark.server
class TestOnMinio(S3Contract):
    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with minio.running(tmp_path_factory.mktemp("minio")) as running:
            yield running.endpoint

    def test_a_wrong_password_is_told(self, store: S3ObjectStore, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from drawops.storage.s3 import _client

        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        _client.cache_clear()
        with pytest.raises(Unavailable, match="SignatureDoesNotMatch"):
            list(store.scan())
        _client.cache_clear()


def test_an_object_store_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "drawops")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "drawops-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unavailable, match=r"s3://drawings/ at http://127\.0\.0\.1:9 does not answer"):
        open_store("s3://drawings?endpoint=http://127.0.0.1:9").get("a")


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://key:secret@bucket", "s3://bucket?endpiont=http://x"])
def test_a_wrong_s3_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"s3://bucket|Did you mean 'endpoint'"):
        open_store(url)
