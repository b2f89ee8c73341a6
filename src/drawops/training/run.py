"""The optimisation itself: epochs of steps over a task, kept on disk so that a kill costs at most a minute.

Importing this module imports paddle.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from drawops.training.checkpoint import load_checkpoint, save_checkpoint
from drawops.training.config import Progress, TrainConfig
from drawops.training.line_set import epoch_batches
from drawops.training.machine import Machine
from drawops.training.schedule import learning_rate
from drawops.training.tasks import Labels, Task, collapse

logger = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]
LogMetrics = Callable[[dict[str, float], int], None]
Indices = NDArray[np.intp]


class Run:
    """One training run, from its checkpoint where there is one.

    Args:
        task: what is trained; its parameters are changed in place.
        labels: classes of each line's text. frames: (N,) frames of each line.
        new, old: indices of the training lines. validation: of those the accuracy is measured on.
        identity: hash of everything the run is made of; a checkpoint of another identity is not used.
    """

    def __init__(
        self,
        task: Task,
        labels: Labels,
        frames: Indices,
        new: Indices,
        old: Indices,
        validation: Sequence[int],
        config: TrainConfig,
        *,
        folder: Path,
        identity: str,
    ) -> None:
        self._task, self._labels, self._validation, self._config = task, labels, validation, config
        self._frames, self._new, self._old = frames, new, old
        self._folder = folder
        self._machine = Machine()
        self._anchors = [p.detach().clone() for p in task.parameters]
        self._optimiser = paddle.optimizer.AdamW(
            learning_rate=config.peak_rate,
            parameters=task.parameters,
            weight_decay=config.weight_decay,
            grad_clip=paddle.nn.ClipGradByGlobalNorm(config.clip_norm),
        )
        self._state: dict[str, Any] = {
            "fingerprint": identity,
            "epoch": 0,
            "batch": 0,
            "step": 0,
            "loss_sum": 0.0,
            "curve": [],
        }
        # Parameters of the best epoch, where a run without patience keeps none.
        self._best: list[NDArray[np.float32]] = []
        if saved := load_checkpoint(folder, task.parameters, self._optimiser, identity):
            self._state, self._best = saved
            logger.info("resuming %s at epoch %d, batch %d", folder, self._state["epoch"] + 1, self._state["batch"])
        self._started = self._saved_at = time.monotonic()
        self._first_step, self._seen = self._state["step"], 0

    @property
    def curve(self) -> list[dict[str, float]]:
        return self._state["curve"]

    def finish(self, report: OnProgress, log_metrics: LogMetrics | None) -> dict[str, float]:
        """Train what is left of the epochs; with `patience`, stop early and go back to the best epoch.

        Returns:
            The point of the curve whose weights the task has now.
        """
        config = self._config
        while self._state["epoch"] < config.run_epochs and not _out_of_patience(self.curve, config.patience):
            point = self._epoch(report)
            if log_metrics:
                log_metrics({**point, **self._machine.metrics()}, int(point["epoch"]))
        if not config.patience:
            return self.curve[-1]
        for parameter, value in zip(self._task.parameters, self._best, strict=True):
            parameter.set_value(value)
        return _best_point(self.curve)

    def _epoch(self, report: OnProgress) -> dict[str, float]:
        config, state = self._config, self._state
        epoch = state["epoch"]
        batches = epoch_batches(
            self._new,
            self._old,
            self._frames,
            size=config.batch_size,
            new_to_old=config.new_to_old,
            seed=[config.seed, epoch],
        )
        steps = len(batches) * config.run_epochs
        started, seen = time.monotonic(), self._seen
        for number in range(state["batch"], len(batches)):
            self._step(batches[number], learning_rate(state["step"], steps, config), [config.seed, epoch, number])
            report(self._progress(number, steps))
            if time.monotonic() - self._saved_at > config.checkpoint_s:
                self._save()
        point = {
            "epoch": epoch + 1,
            "loss": state["loss_sum"] / len(batches),
            "accuracy": self._accuracy(),
            "learning_rate": float(self._optimiser.get_lr()),
            "lines_per_s": (self._seen - seen) / max(1e-6, time.monotonic() - started),
        }
        self.curve.append(point)
        if config.patience and _best_point(self.curve) is point:
            self._best = [p.numpy() for p in self._task.parameters]
        state.update(epoch=epoch + 1, batch=0, loss_sum=0.0)
        self._save()
        logger.info("epoch %d: loss %.4f, accuracy %.4f", epoch + 1, point["loss"], point["accuracy"])
        return point

    def _step(self, batch: Indices, rate: float, seed: list[int]) -> None:
        self._optimiser.set_lr(rate)
        loss = self._task.backward(batch.tolist(), np.random.default_rng(seed))
        if self._config.l2_sp:
            drift = paddle.add_n(
                [((p - q) ** 2).sum() for p, q in zip(self._task.parameters, self._anchors, strict=True)]
            )
            (self._config.l2_sp * drift).backward()
        self._optimiser.step()
        self._optimiser.clear_grad()
        self._seen += len(batch)
        state = self._state
        state.update(batch=state["batch"] + 1, step=state["step"] + 1, loss_sum=state["loss_sum"] + loss)

    def _progress(self, number: int, steps: int) -> Progress:
        elapsed, step = time.monotonic() - self._started, self._state["step"]
        return Progress(
            phase="train",
            epoch=self._state["epoch"] + 1,
            epochs=self._config.run_epochs,
            step=step,
            steps=steps,
            loss=self._state["loss_sum"] / (number + 1),
            accuracy=self.curve[-1]["accuracy"] if self.curve else 0.0,
            lines_per_s=self._seen / elapsed,
            eta_s=(steps - step) * elapsed / (step - self._first_step),
        )

    def _accuracy(self) -> float:
        """Share of validation lines read right in full."""
        right = (collapse(self._task.classes(i)) == list(self._labels[i]) for i in self._validation)
        return sum(right) / len(self._validation)

    def _save(self) -> None:
        save_checkpoint(self._folder, self._task.parameters, self._optimiser, self._state, self._best)
        self._saved_at = time.monotonic()


def _best_point(curve: Sequence[dict[str, float]]) -> dict[str, float]:
    """The most accurate epoch, the earliest of equals."""
    return max(curve, key=lambda point: point["accuracy"])


def _out_of_patience(curve: Sequence[dict[str, float]], patience: int) -> bool:
    return bool(patience and curve and curve[-1]["epoch"] - _best_point(curve)["epoch"] >= patience)
