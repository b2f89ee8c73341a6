"""Tune EfficientNet-lite0 on made-up shapes: `python -m drawops.similarity.tuning`.

ImageNet teaches what things look like, not which shapes are alike. Here the network learns it from families of made-up
shapes and parts (`generated`, `generated_parts`), by supervised contrastive loss (Khosla et al. 2020): members of a family,
bent, mirrored or of other sizes, come together, other families go apart. It is not to become one for these families
only: the weights that are kept lie between those of ImageNet and the mean of two trainings, a careful and a bold one
(Wortsman et al. 2022). Nothing of it sees a picture of any data set, or a generated drawing.

Two trainings of 75 seconds each on one H200; on two cores it takes a working day. Then run `python -m drawops.similarity.fit`.
"""

import math
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import affine_grid, grid_sample, interpolate, normalize

from drawops.similarity.descriptors import upright
from drawops.similarity.generated import generated_views
from drawops.similarity.generated_parts import part_views
from drawops.similarity.lite0 import DIFFERENCE, build_network, write_difference
from drawops.similarity.metric_learning import supervised_contrastive

Pictures = NDArray[np.uint8]
State = dict[str, torch.Tensor]

_TEMPERATURE = 0.1
_PARTS = 0.4  # of the families are parts


@dataclass(frozen=True)
class Recipe:
    families: int = 6000
    members: int = 16
    steps: int = 1500
    families_a_step: int = 128
    members_a_step: int = 4
    learning_rates: tuple[float, ...] = (1e-4, 5e-4)
    share: float = 0.6
    """How far the weights go from ImageNet's towards the mean of the trainings."""


def tune(recipe: Recipe, target: Path = DIFFERENCE, *, processes: int = 1) -> None:
    """Write what the trainings change of the network's weights."""
    pictures = made_up_pictures(recipe.families, recipe.members, processes=processes)
    before: State = build_network(tuned=False).state_dict()
    trained = [train(pictures, recipe, rate) for rate in recipe.learning_rates]
    after = {
        name: torch.lerp(weight, torch.stack([state[name] for state in trained]).mean(0), recipe.share)
        if weight.is_floating_point()
        else weight
        for name, weight in before.items()
    }
    write_difference(after, target)


def made_up_pictures(families: int, members: int, *, processes: int = 1) -> Pictures:
    """(families, members, 128, 128) as the network sees them, 255 = shape."""
    portion = 30
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        made = pool.map(partial(_portion, portion, members), range(-(-families // portion)), chunksize=1)
    return np.concatenate(made)[:families]


def _portion(families: int, members: int, seed: int) -> Pictures:
    if np.random.default_rng(seed).random() < _PARTS:
        views = part_views(families, members, seed=seed)
    else:
        views, _ = generated_views(families, members, seed=seed)
    pictures = np.stack([upright(view.figure) for view in views])
    return np.round(255 * pictures).astype(np.uint8).reshape(families, members, *pictures.shape[1:])


def train(pictures: Pictures, recipe: Recipe, learning_rate: float, *, seed: int = 0) -> State:
    """The weights after one training. Statistics of batch normalisation stay those of ImageNet.

    Args:
        pictures: (families, members, S, S).
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build_network(tuned=False).to(device)
    mean, spread, axes = _main_axes(network, pictures.reshape(-1, *pictures.shape[2:])[:4096])
    head = nn.Linear(axes.shape[1], axes.shape[0], bias=False).to(device)
    head.load_state_dict({"weight": axes})
    optimiser = torch.optim.AdamW(
        [
            {"params": network.parameters(), "lr": learning_rate, "weight_decay": 0.01},
            {"params": head.parameters(), "lr": 3 * learning_rate, "weight_decay": 0.0},
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_warm_then_cosine, recipe.steps))
    for step, (shapes, family) in enumerate(_batches(pictures, recipe, rng)):
        seen = varied(torch.from_numpy(shapes).to(device).float() / 255)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            features = network(seen)
        vectors = normalize(head((features.float() - mean) / spread), dim=1)
        loss = supervised_contrastive(vectors @ vectors.T / _TEMPERATURE, family)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} of {recipe.steps}: loss {float(loss.detach()):.3f}", flush=True)
    return {name: value.cpu() for name, value in network.state_dict().items()}


@torch.no_grad()
def _main_axes(
    network: nn.Module, pictures: Pictures, count: int = 256
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean and spread (D,) of the features of pictures (N, S, S), and their main axes (count, D) once these are made even."""
    device = next(network.parameters()).device
    parts = [
        network(torch.from_numpy(pictures[i : i + 64]).to(device).float() / 255) for i in range(0, len(pictures), 64)
    ]
    features = torch.cat(parts)
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-3
    return mean, spread, torch.linalg.svd((features - mean) / spread, full_matrices=False)[2][:count]


def _batches(pictures: Pictures, recipe: Recipe, rng: np.random.Generator) -> Iterator[tuple[Pictures, Any]]:
    """Pictures (B, S, S) of a few members each of some families, and the numbers of the families (B,)."""
    families, members = pictures.shape[:2]
    for _ in range(recipe.steps):
        chosen = rng.choice(families, recipe.families_a_step, replace=False)
        which = np.stack([rng.choice(members, recipe.members_a_step, replace=False) for _ in chosen])
        yield np.concatenate(pictures[chosen[:, None], which]), np.repeat(chosen, recipe.members_a_step)


def _warm_then_cosine(steps: int, step: int) -> float:
    return min(1, step / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))


def varied(shapes: torch.Tensor) -> torch.Tensor:
    """(N, S, S) turned a little, some by quarters, half of them mirrored, stretched, shifted and wobbled."""
    n, device = len(shapes), shapes.device

    def normal(spread: float) -> torch.Tensor:
        return spread * torch.randn(n, device=device)

    quarters = torch.randint(0, 4, (n,), device=device) * (torch.rand(n, device=device) < 0.1)
    angle = normal(0.12) + math.pi / 2 * quarters
    scale, aspect = normal(0.06).exp() + 0.02, normal(0.05).exp()
    mirror = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [aspect * cos, -sin, normal(0.02), mirror * aspect * sin, mirror * cos, normal(0.02)]
    grid = affine_grid(torch.stack(rows, dim=1).view(n, 2, 3), [n, 1, *shapes.shape[1:]], align_corners=False)
    height = 0.03 * torch.rand(n, 1, 1, 1, device=device)
    waves = interpolate(
        torch.randn(n, 2, 5, 5, device=device), size=shapes.shape[1:], mode="bicubic", align_corners=True
    )
    grid = grid + (height * waves).permute(0, 2, 3, 1)
    return grid_sample(shapes[:, None], grid, align_corners=False)[:, 0]


if __name__ == "__main__":
    tune(Recipe(), *map(Path, sys.argv[1:]), processes=multiprocessing.cpu_count())
