"""The picture network learns from made-up shapes, and what it learnt is carried as a difference."""

from pathlib import Path

import numpy as np
import pytest
import torch

from drawops.similarity.generated_parts import part_views
from drawops.similarity.lite0 import build_network, write_difference
from drawops.similarity.metric_learning import supervised_contrastive
from drawops.similarity.tuning import Recipe, made_up_pictures, train, tune, varied

SMALL = Recipe(families=8, members=4, steps=6, families_a_step=4, members_a_step=2, learning_rates=(5e-4,), share=1.0)


def test_parts_of_a_family_are_of_other_sizes_and_repeat_with_their_seed() -> None:
    one, again, other = (part_views(6, 2, seed=seed) for seed in (3, 3, 4))
    assert [v.silhouette.shape for v in one] == [v.silhouette.shape for v in again]
    assert [v.silhouette.shape for v in one] != [v.silhouette.shape for v in other]
    assert any(a.silhouette.shape != b.silhouette.shape for a, b in zip(one[::2], one[1::2], strict=True))


def test_loss_is_low_where_families_lie_together_and_high_where_they_are_mixed() -> None:
    vectors = torch.eye(2).repeat_interleave(2, 0)
    scores = vectors @ vectors.T / 0.1
    together, mixed = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert float(supervised_contrastive(scores, together)) < 0.01 < 5 < float(supervised_contrastive(scores, mixed))


def test_varied_shapes_keep_their_size_and_place() -> None:
    torch.manual_seed(0)
    shape = torch.zeros(64, 64)
    shape[20:44, 24:40] = 1
    seen = varied(shape.repeat(40, 1, 1))
    assert seen.shape == (40, 64, 64) and float(seen.min()) >= 0 and float(seen.max()) <= 1
    assert 0.6 < float(seen.sum((1, 2)).mean() / shape.sum()) < 1.2


@pytest.mark.slow
def test_a_training_brings_families_together_and_its_difference_is_all_that_is_kept(tmp_path: Path) -> None:
    pictures = made_up_pictures(SMALL.families, SMALL.members)
    assert pictures.shape == (8, 4, 128, 128)
    assert len({picture.tobytes() for picture in pictures.reshape(32, -1)}) > 30
    again = made_up_pictures(SMALL.families, SMALL.members)
    assert np.array_equal(pictures, again)

    tune(SMALL, tmp_path / "change.npz")
    trained = train(pictures, SMALL, 5e-4)
    before = build_network(tuned=False).state_dict()
    with np.load(tmp_path / "change.npz") as change:
        name = "_blocks.10._project_conv.weight"
        kept = change[name] * change[f"{name}.step"]
        assert np.abs(kept).max() > 0
        assert np.allclose(kept, (trained[name] - before[name]).numpy(), atol=0.02 * np.abs(kept).max())
        assert not any("running" in name for name in change.files)


def test_what_ships_is_read_as_it_was_written(tmp_path: Path) -> None:
    tuned = build_network().state_dict()
    write_difference(tuned, tmp_path / "change.npz")
    before = build_network(tuned=False).state_dict()
    with np.load(tmp_path / "change.npz") as change:
        assert len(change.files) > 100
        for name in ("_conv_stem.weight", "_blocks.15._expand_conv.weight"):
            assert np.allclose(before[name] + change[name] * change[f"{name}.step"], tuned[name], atol=1e-6)
