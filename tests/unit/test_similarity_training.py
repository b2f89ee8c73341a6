"""Embeddings trained on families: kept only where better on families not seen, versioned, put into service by a switch."""

import json
from contextlib import closing
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import Conflict, DrawopsError, InputRefused, NotFound, SettingsError
from drawops.settings import Settings, load_settings, prepare_home
from drawops.similarity import ShapeSearch
from drawops.similarity.embedding import BLOCKS, BUILT_IN, Describer, Embedder, join, projection
from drawops.similarity.generated import generated_views
from drawops.similarity.index import open_index
from drawops.similarity.kept import Kept
from drawops.similarity.labelled import examples_in
from drawops.similarity.metric_learning import Example, Learnt, build_head, contrastive_loss, learn, vectors_of
from drawops.similarity.reranking import scores_between
from drawops.similarity.trained import CARD, HEAD, folder_of, open_embedder, store, train, trained_versions


@cache
def way_back(block: str) -> np.ndarray:
    """The pseudo-inverse of a block's axes. It takes a second of a core: once, not for each drawing."""
    return np.linalg.pinv(projection()[f"{block}_axes"].astype(float))


def descriptors(vectors: np.ndarray) -> np.ndarray:
    """Rows (N, 2391) whose projections by block are these (N, 256)."""
    rows, at = [], 0
    for name, _, kept, _ in BLOCKS:
        rows.append(vectors[:, at : at + kept] @ way_back(name) + projection()[f"{name}_mean"])
        at += kept
    return np.concatenate(rows, axis=1).astype(np.float32)


def examples(families: int, *, related: bool) -> list[Example]:
    """Four drawings a family, which agree in 20 numbers and differ more in 124 others; or in all, when unrelated."""
    rng = np.random.default_rng(5)
    found, alike = [], rng.normal(size=112)
    for family in range(families):
        centre = rng.normal(size=20)
        for _ in range(4):
            vector = np.concatenate([centre if related else rng.normal(size=20), rng.normal(size=124), alike])
            found.append(Example(f"f{family}", descriptors(vector[None])))
    return found


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return learn(examples(60, related=True), epochs=15, seed=1)


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path / "家"
    prepare_home(load_settings(home))
    shared = tmp_path_factory.getbasetemp() / "network"  # exported once for all modules
    shared.mkdir(exist_ok=True)
    (home / "cache").rmdir()
    (home / "cache").symlink_to(shared)
    return load_settings(home)


def drawings(folder: Path, families: int, members: int) -> Path:
    views, labels = generated_views(families, members, seed=3)
    for i, (view, label) in enumerate(zip(views, labels, strict=True)):
        picture = cv2.copyMakeBorder(255 - view.silhouette, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)
        (folder / f"族{label}").mkdir(parents=True, exist_ok=True)
        (folder / f"族{label}" / f"{i}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


def test_what_families_share_is_learnt_and_helps_on_families_not_seen(learnt: Learnt) -> None:
    assert learnt.comparison.better and learnt.comparison.gain > 5
    assert learnt.comparison.trained.mean_ap > learnt.comparison.frozen.mean_ap


def test_families_that_share_nothing_give_nothing_to_keep() -> None:
    assert not learn(examples(40, related=False), epochs=5, seed=1).comparison.better


def test_a_head_that_has_learnt_nothing_gives_the_frozen_vectors() -> None:
    rows = descriptors(np.random.default_rng(0).normal(size=(5, 256)))
    assert np.allclose(vectors_of(build_head(), rows), join(rows), atol=1e-5)


def test_the_same_seed_learns_the_same() -> None:
    drawn = examples(20, related=True)
    first, again, other = (learn(drawn, epochs=4, seed=seed) for seed in (1, 1, 2))
    assert again.comparison == first.comparison != other.comparison
    assert all((again.head.state_dict()[name] == value).all() for name, value in first.head.state_dict().items())


def test_the_loss_is_taken_on_the_score_of_a_search() -> None:
    rng = np.random.default_rng(0)
    forms = [descriptors(rng.normal(size=(views, 256))) for views in (1, 3, 2, 1)]
    scores = 2 * scores_between([join(f) for f in forms]) - 1
    logits = np.where(np.eye(4, dtype=bool), -np.inf, scores / 0.07)
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -np.mean([log_share[0, 1], log_share[1, 0], log_share[2, 3], log_share[3, 2]])
    loss = contrastive_loss(build_head().eval(), list(zip("aabb", forms, strict=True)))
    assert loss.item() == pytest.approx(expected, abs=1e-3)


def test_too_few_families_are_refused_with_their_number() -> None:
    with pytest.raises(InputRefused, match="11 families have two drawings or more, at least 12"):
        learn(examples(11, related=True))
    with pytest.raises(SettingsError, match="epochs"):
        learn(examples(12, related=True), epochs=0)


def test_a_folder_of_too_few_families_is_refused_before_its_drawings_are_described(
    tmp_path: Path, settings: Settings
) -> None:
    told: list[str] = []
    with pytest.raises(InputRefused, match="by folder 3 families have .* or try --classes prefix"):
        train(drawings(tmp_path / "d", 3, 2), settings, say=told.append)
    assert not told


def test_what_is_stored_computes_what_was_trained(learnt: Learnt, settings: Settings) -> None:
    version = store(learnt, settings, {"data": "x"})
    assert version.startswith(f"{BUILT_IN}+") and store(learnt, settings, {}) == version
    assert trained_versions(settings) == [version] and not list(folder_of(settings).glob(".new-*"))
    card = json.loads((folder_of(settings) / version / CARD).read_text(encoding="utf-8"))
    assert card["comparison"]["better"] and card["data"] == "x"
    views, _ = generated_views(1, 2, seed=0)
    vectors, frozen = open_embedder(settings, version).embed(views), open_embedder(settings).embed(views)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5) and np.abs(vectors - frozen).max() > 1e-3


def test_a_network_that_was_exported_wrongly_is_not_stored(
    learnt: Learnt, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drawops.similarity.trained.vectors_of", lambda head, rows: np.zeros((len(rows), 256)))
    with pytest.raises(DrawopsError, match="nothing is stored"):
        store(learnt, settings, {})
    assert not trained_versions(settings) and not list(folder_of(settings).iterdir())


def test_drawings_of_a_folder_are_learnt_from_with_distorted_copies(tmp_path: Path, settings: Settings) -> None:
    folder = drawings(tmp_path / "图纸", 3, 2)
    cv2.imwrite(str(folder / "族0" / "blank.png"), np.full((300, 300), 255, np.uint8))
    (folder / "族0" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found, remarks = examples_in(folder, "folder", Describer(settings.cache), copies=2, progress=lambda *_: None)
    assert [e.family for e in found] == ["族0", "族0", "族1", "族1", "族2", "族2"]
    assert all(len(e.distorted) == 2 and np.isfinite(np.concatenate(e.distorted)).all() for e in found)
    assert remarks[0] == "blank.png: no shape was found on it" and remarks[1].startswith("cut.png: is cut off")


def test_training_on_a_folder_says_which_families_it_was_tested_on(tmp_path: Path, settings: Settings) -> None:
    outcome = train(drawings(tmp_path / "d", 12, 2), settings, epochs=2)
    assert outcome.comparison.families == 4 and outcome.comparison.drawings == 8
    assert bool(outcome.version) == outcome.comparison.better == bool(trained_versions(settings))


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls, said = drawings(tmp_path / "d", 12, 2), [], []
    whole = train(folder, settings, epochs=4, say=said.append)
    assert said[0] == "0 of 24 drawings described" and said[1].startswith("24 of 24 drawings described, 0:00 left")
    assert any(line.startswith("epoch 1 of at most 4") and line.endswith(" left") for line in said)
    assert not list((settings.cache / "train-embedding").iterdir()), "what was kept is gone at the end"
    describe = Describer.describe

    def counted(self: Describer, views: list) -> object:
        calls.append(len(views))
        if len(calls) == 30:
            raise Killed
        return describe(self, views)

    def kill_after_second_epoch(line: str) -> None:
        if line.startswith("epoch 2"):
            raise Killed

    monkeypatch.setattr(Describer, "describe", counted)
    for say in (said.append, kill_after_second_epoch):
        with pytest.raises(Killed):
            train(folder, settings, epochs=4, say=say)
    told: list[str] = []
    again = train(folder, settings, epochs=4, say=told.append)
    forms = 4  # the drawing and three distorted copies
    assert 24 * forms < len(calls) <= 25 * forms, "only the drawing in work was described twice"
    assert any(line.startswith("going on after epoch 2") for line in told)
    assert not any(line.startswith("epoch 2 ") for line in told) and any(line.startswith("epoch 3 ") for line in told)
    assert (again.comparison, again.epochs, again.version) == (whole.comparison, whole.epochs, whole.version)


def test_what_another_training_learnt_is_not_gone_on_with(tmp_path: Path) -> None:
    drawn, kept = examples(20, related=True), Kept(tmp_path)
    learn(drawn, epochs=3, seed=1, kept=kept)
    for changed in ({"seed": 2}, {"epochs": 2}, {"rate": 1e-3}):
        said: list[str] = []
        learn(drawn, **{"epochs": 3, "seed": 1, "kept": kept, **changed}, say=said.append)  # type: ignore[arg-type]
        assert not any(line.startswith("going on") for line in said), changed
        learn(drawn, epochs=3, seed=1, kept=kept)


def test_drawings_are_embedded_beside_and_searched_after_the_switch(
    tmp_path: Path, settings: Settings, learnt: Learnt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAWOPS_HOME", str(settings.home))
    monkeypatch.setattr("drawops.similarity.search._LOOK_AGAIN_S", 0.0)
    folder, run = drawings(tmp_path / "d", 2, 2), CliRunner()
    serving = ShapeSearch(settings)
    serving.add([folder])
    query = next(iter(sorted(folder.rglob("*.png"))))
    before = [h.score for h in serving.search(query)]
    version = store(learnt, settings, {})

    early = run.invoke(app, ["index", "switch", "--embedding", version])
    assert isinstance(early.exception, Conflict) and f"index add --embedding {version}" in str(early.exception)
    added = run.invoke(app, ["index", "add", "--embedding", version, "--json"])
    assert added.exit_code == 0 and len(json.loads(added.stdout)["added"]) == 4
    assert [h.score for h in serving.search(query)] == before, "the old one serves until the switch"
    with closing(open_index(settings.index_url, Embedder.dim, version=version)) as new:
        new.delete([max(new.ids() - {query.name})])
    switched = run.invoke(app, ["index", "switch", "--embedding", version, "--json"])
    assert json.loads(switched.stdout)["active"] == version
    assert f"1 of the 4 drawings that were in service are not indexed with {version}" in switched.stderr
    after = [h.score for h in serving.search(query)]
    assert after[0] == pytest.approx(1) and after != before, "a server that runs follows"
    assert run.invoke(app, ["index", "switch"]).exit_code == 0
    assert [h.score for h in serving.search(query)] == before
    serving.close()


def test_a_version_that_is_not_in_this_home_is_named(settings: Settings, learnt: Learnt) -> None:
    version = store(learnt, settings, {})
    with pytest.raises(NotFound, match="Did you mean"):
        open_embedder(settings, version[:-1])
    (folder_of(settings) / version).rename(folder_of(settings) / "shape-0+12345678")
    with pytest.raises(NotFound, match="older DrawOps"):
        open_embedder(settings, "shape-0+12345678")


def test_the_head_leaves_torch_out_of_searching(settings: Settings, learnt: Learnt) -> None:
    assert isinstance(learnt.head, torch.nn.Module)
    file = folder_of(settings) / store(learnt, settings, {}) / HEAD
    assert file.stat().st_size < 3_000_000
