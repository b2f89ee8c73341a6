"""Checkpoints from which a killed run goes on as if nothing had happened, bit for bit.

The order of lines, the batches and the augmentation are drawn from (seed, epoch, batch), so epoch and batch number
are all there is to keep of the random state; beside them parameters and the optimiser's moments.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from drawops.files import save_whole

FILE = "state.npz"


def save_checkpoint(
    folder: Path,
    parameters: list[paddle.Tensor],
    optimiser: paddle.optimizer.Optimizer,
    state: dict[str, Any],
    best: Sequence[NDArray[np.float32]] = (),
) -> None:
    """Write atomically: a kill leaves the old checkpoint or the new one, never half of one.

    Args:
        state: what JSON can hold. best: the parameters of the best epoch, where they are kept.
    """
    arrays: dict[str, NDArray[Any]] = {f"parameter.{i}": p.numpy() for i, p in enumerate(parameters)}
    arrays.update((f"best.{i}", value) for i, value in enumerate(best))
    for key, value in optimiser.state_dict().items():
        if isinstance(value, paddle.Tensor):
            arrays["optimiser." + _portable(key, parameters)] = value.numpy()
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    save_whole(folder / FILE, arrays)


def load_checkpoint(
    folder: Path, parameters: list[paddle.Tensor], optimiser: paddle.optimizer.Optimizer, fingerprint: str
) -> tuple[dict[str, Any], list[NDArray[np.float32]]] | None:
    """Restore parameters and optimiser in place.

    Returns:
        The saved state and `best`, or None when there is no checkpoint of a run with this fingerprint.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    with np.load(file) as stored:
        state: dict[str, Any] = json.loads(stored["state"].tobytes())
        if state["fingerprint"] != fingerprint:
            return None
        moments: dict[str, NDArray[Any]] = {}
        for key in stored.files:
            kind, _, rest = key.partition(".")
            if kind == "parameter":
                parameters[int(rest)].set_value(stored[key])
            elif kind == "optimiser":
                number, _, suffix = rest.partition(".")
                moments[f"{parameters[int(number)].name}_{suffix}"] = stored[key]
        best = [stored[f"best.{i}"] for i in range(len(parameters)) if f"best.{i}" in stored]
    optimiser.set_state_dict({key: paddle.to_tensor(value) for key, value in moments.items()})
    return state, best


def _portable(key: str, parameters: list[paddle.Tensor]) -> str:
    """`<parameter name>_moment1_0` as `<parameter number>.moment1_0`: names differ from process to process."""
    owners = [(len(p.name), i) for i, p in enumerate(parameters) if key.startswith(p.name + "_")]
    length, number = max(owners)
    return f"{number}.{key[length + 1 :]}"
