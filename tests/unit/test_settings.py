from pathlib import Path

import pytest

from drawops.errors import SettingsError
from drawops.settings import child_environment, find_home, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("DRAWOPS_"):
            monkeypatch.delenv(name)


def test_the_nearest_home_above_is_found(tmp_path: Path) -> None:
    (tmp_path / ".drawops").mkdir()
    inner = tmp_path / "图纸" / "deep"
    inner.mkdir(parents=True)
    assert find_home(inner) == tmp_path / ".drawops"


def test_without_a_home_it_is_here(tmp_path: Path) -> None:
    assert find_home(tmp_path) == tmp_path / ".drawops"


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawops.toml").write_text('gate = "strict"\nthreads = 1\n', encoding="utf-8")
    monkeypatch.setenv("DRAWOPS_THREADS", "2")
    settings = load_settings(tmp_path)
    assert (settings.gate, settings.threads) == ("strict", 2)


def test_a_wrong_variable_names_the_nearest_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWOPS_DEPLOY_ON_APROVAL", "false")
    with pytest.raises(SettingsError, match="DRAWOPS_DEPLOY_ON_APPROVAL"):
        load_settings(tmp_path)


def test_a_wrong_name_in_the_file_names_the_nearest_right_one(tmp_path: Path) -> None:
    (tmp_path / "drawops.toml").write_text("thread = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="Did you mean 'threads'"):
        load_settings(tmp_path)


def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWOPS_THREADS", "many")
    with pytest.raises(SettingsError, match="DRAWOPS_THREADS"):
        load_settings(tmp_path)


def test_kubernetes_service_links_are_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWOPS_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("DRAWOPS_SERVICE_HOST", "10.0.0.1")
    assert load_settings(tmp_path).home == tmp_path


def test_a_child_process_finds_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(tmp_path, threads=3, deploy_on_approval=False)
    for name, value in child_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.setenv("DRAWOPS_MLFLOW_PASSWORD_FILE", str(tmp_path / "secret"))
    settings = load_settings(tmp_path)
    assert settings.mlflow_password == "s3cret"
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("DRAWOPS_MLFLOW_PASSWORD_FILE", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="DRAWOPS_MLFLOW_PASSWORD_FILE"):
        load_settings(tmp_path)


def test_a_postgresql_address_names_the_driver_that_is_installed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, mlflow="postgresql://u:p@db/mlflow", records="postgres://u:p@db/records")
    assert settings.mlflow_uri == "postgresql+psycopg2://u:p@db/mlflow"
    assert settings.records_url == "postgresql+psycopg2://u:p@db/records"


def test_a_home_that_may_not_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:  # root, as who tests often run, may open every folder
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(SettingsError, match=f"{tmp_path} may not be opened by uid"):
        load_settings(tmp_path)
