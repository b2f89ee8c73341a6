"""Deployment to a cluster, as far as it needs none; `tests/cluster` has the rest."""

from pathlib import Path

import pytest

from drawops.doctor import examine
from drawops.errors import ForbiddenTransition, SettingsError
from drawops.registry import ModelRegistry
from drawops.serving.kubernetes import Cluster, canary_pods, try_out
from drawops.settings import Settings


@pytest.mark.parametrize(
    ("stable", "share", "pods"), [(3, 25, 1), (2, 33, 1), (6, 25, 2), (2, 50, 2), (1, 90, 9), (10, 1, 1)]
)
def test_a_canary_has_about_its_share_of_the_pods(stable: int, share: int, pods: int) -> None:
    assert canary_pods(stable, share) == pods


def test_a_share_beyond_a_trial_is_refused(home: Settings) -> None:
    with pytest.raises(SettingsError, match="0 to 90"):
        try_out("v1.0", 100, home, by="李伟", why="try")


def test_without_a_cluster_it_says_what_to_set(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="KUBECONFIG"):
        Cluster(home)


def test_the_champion_is_no_canary(home: Settings) -> None:
    ModelRegistry(home).ensure_base()
    with pytest.raises(ForbiddenTransition, match="v1.0 is the champion"):
        try_out("v1.0", 25, home, by="李伟", why="try")


def test_the_doctor_says_what_keeps_a_home_from_its_cluster(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert "pods" not in {check.name for check in examine(home)}
    (pods,) = (c for c in examine(home.model_copy(update={"kubernetes_namespace": "plant"})) if c.name == "pods")
    assert not pods.ok and "KUBECONFIG" in pods.detail
