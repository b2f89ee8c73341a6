"""A home in one file, taken while it is in use, and back from it somewhere else."""

import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from drawops.backup import backup, restore
from drawops.errors import Conflict, InputRefused
from drawops.registry import ModelRegistry, ModelVersion, Records
from drawops.settings import Settings, load_settings
from drawops.storage import open_store

Register = Callable[..., ModelVersion]


@pytest.fixture
def used(settings: Settings, registry: ModelRegistry, candidate: Register, tmp_path: Path) -> Settings:
    """A home with an approved version, a drawing, a dataset and a reading."""
    candidate()
    registry.approve("v1.1", "李伟", "读得出形位公差")
    registry.mark_deployed("v1.1", "李伟", "first")
    store = open_store(settings.objects_url)
    store.put("raw/abc.pdf", b"drawing")
    store.put("datasets/阀门/1.json", b"{}")
    drawing = tmp_path / "阀门.pdf"
    drawing.write_bytes(b"drawing")
    Records(settings.records_url).store_reading(drawing, {"model": "v1.1", "pages": []}, caller="x", source="cli")
    return settings


@pytest.mark.parametrize("name", ["备份.tar", "备份.tar.gz"])
def test_a_restored_home_holds_all_and_is_whole_elsewhere(used: Settings, tmp_path: Path, name: str) -> None:
    done = backup(used, tmp_path / "backups" / name)
    assert done["left_out"] == {}
    restored = restore(tmp_path / "backups" / name, tmp_path / "新 home")
    assert restored["problems"] == []
    assert restored["files"] == done["files"]
    there = load_settings(tmp_path / "新 home")
    registry = ModelRegistry(there)
    assert registry.get("champion").approved_by == "李伟"
    assert registry.fetch("champion").is_relative_to(there.home)
    assert (registry.fetch("champion") / "inference.onnx").read_bytes() == b"not looked into here"
    assert [i.key for i in open_store(there.objects_url).scan()] == ["datasets/阀门/1.json", "raw/abc.pdf"]
    assert [r.model for r in Records(there.records_url).of_drawing("阀门.pdf")] == ["v1.1"]


@pytest.mark.slow
def test_a_backup_under_way_never_catches_half_a_decision(
    used: Settings, registry: ModelRegistry, candidate: Register, tmp_path: Path
) -> None:
    stop = threading.Event()

    def decide() -> None:
        while not stop.is_set():
            label = candidate().label
            registry.approve(label, "李伟", f"{label} reads well")
            registry.mark_deployed(label, "李伟", "next")

    deciding = threading.Thread(target=decide)
    deciding.start()
    try:
        for n in range(3):
            backup(used, tmp_path / f"{n}.tar")
    finally:
        stop.set()
        deciding.join()
    for n in range(3):
        assert restore(tmp_path / f"{n}.tar", tmp_path / f"home {n}")["problems"] == []


def test_a_home_that_is_there_is_not_overwritten(used: Settings, tmp_path: Path) -> None:
    backup(used, tmp_path / "a.tar")
    with pytest.raises(Conflict, match="is there already"):
        restore(tmp_path / "a.tar", used.home)


def test_a_damaged_or_cut_off_backup_is_refused_and_leaves_nothing(used: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    backup(used, file)
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        place = tar.getmember("objects/raw/abc.pdf").offset_data
    damages = {
        "objects/raw/abc.pdf is changed": whole[:place] + b"D" + whole[place + 1 :],
        "a.tar": whole[: len(whole) // 2],
        "can't be read as a backup": b"no tar at all",
    }
    for words, content in damages.items():
        file.write_bytes(content)
        with pytest.raises(InputRefused, match=words):
            restore(file, tmp_path / "new")
        assert not (tmp_path / "new").exists()
        assert not list(tmp_path.glob(".new*"))


def test_a_backup_can_not_write_outside_of_the_home(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        (tmp_path / "x").write_bytes(b"x")
        tar.add(tmp_path / "x", "../evil")
    with pytest.raises(InputRefused, match="outside"):
        restore(tmp_path / "a.tar", tmp_path / "deep" / "new")
    assert not (tmp_path / "deep" / "evil").exists()


def test_what_lies_on_servers_is_named_without_passwords(used: Settings, tmp_path: Path) -> None:
    elsewhere = used.model_copy(
        update={
            "objects": "s3://drawings/a",
            "mlflow": "postgresql://u:geheim@db/mlflow",
            "records": "postgresql://u:geheim@db/records",
            "index": "opensearch://u:geheim@search:9200/shapes",
        }
    )
    left_out = backup(elsewhere, tmp_path / "a.tar")["left_out"]
    assert "geheim" not in str(left_out)
    assert [how.split(":")[0] for how in left_out.values()] == [
        "objects",
        "model versions and runs",
        "readings and audit record",
        "shapes",
    ]
