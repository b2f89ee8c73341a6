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
from drawops.training.config import Progress, RunConfig, Stopped
from drawops.training.line_set import epoch_batches
from drawops.training.machine import Machine
from drawops.training.parallel import Team
from drawops.training.schedule import learning_rate
from drawops.training.tasks import Trainable

logger = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]
LogMetrics = Callable[[dict[str, float], int], None]
Indices = NDArray[np.intp]


class Run:
    """One training run, from its checkpoint where there is one.

    Args:
        task: what is trained; its parameters are changed in place.
        score: how right a line is answered now, 0 to 1; for a recogniser, whether it is read exactly.
        frames: (N,) frames of each line.
        new, old: indices of the training lines. validation: of those the accuracy is measured on.
        identity: hash of everything the run is made of; a checkpoint of another identity is not used.
        team: the processes that train together; default: as they were started.
    """

    def __init__(
        self,
        task: Trainable,
        score: Callable[[int], float],
        frames: Indices,
        new: Indices,
        old: Indices,
        validation: Sequence[int],
        config: RunConfig,
        *,
        folder: Path,
        identity: str,
        team: Team | None = None,
    ) -> None:
        self._team = team or Team()
        self._task, self._score, self._validation, self._config = task, score, validation, config
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
            "loss_sums": {},
            "lines": 0,
            "seconds": 0.0,
            "cools_from": None,
            "stopped": "",
            "curve": [],
        }
        # Parameters of the best epoch, where a run without patience keeps none.
        self._best: list[NDArray[np.float32]] = []
        if saved := load_checkpoint(folder, task.parameters, self._optimiser, identity):
            self._state, self._best = saved
            logger.info("resuming %s at epoch %d, batch %d", folder, self._state["epoch"] + 1, self._state["batch"])
        self._started = self._saved_at = time.monotonic()
        self._before_s = self._state["seconds"]
        self._first_step, self._seen = self._state["step"], 0
        self._measured = -1, 0.0  # step and accuracy, so that a target's look isn't repeated at the epoch's end

    @property
    def curve(self) -> list[dict[str, float]]:
        return self._state["curve"]

    @property
    def lines(self) -> int:
        """Lines trained on so far, repetitions included."""
        return self._state["lines"]

    @property
    def stopped(self) -> Stopped:
        """What ended the run: all epochs done, no patience left, or a target inside an epoch."""
        if self._state["cools_from"] is not None:
            return "accuracy"
        tired = _out_of_patience(self.curve, self._config.patience)
        return self._state["stopped"] or ("patience" if tired else "epochs")

    def finish(self, report: OnProgress, log_metrics: LogMetrics | None) -> dict[str, float]:
        """Train what is left of the epochs, or until a target; with `patience`, go back to the best epoch.

        Returns:
            The point of the curve whose weights the task has now.
        """
        config = self._config
        while self._goes_on():
            point = self._epoch(report)
            if log_metrics:
                log_metrics({**point, **self._machine.metrics()}, int(point["epoch"]))
        if not config.patience:
            return self.curve[-1]
        for parameter, value in zip(self._task.parameters, self._best, strict=True):
            parameter.set_value(value)
        return _best_point(self.curve)

    def _goes_on(self) -> bool:
        config, state = self._config, self._state
        tired = _out_of_patience(self.curve, config.patience)
        return state["epoch"] < config.run_epochs and not tired and not state["stopped"] and not self._cooled()

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
            self._step(batches[number], self._rate(steps), [config.seed, epoch, number])
            report(self._progress(number, steps))
            if self._reaches_a_target():
                break
            if time.monotonic() - self._saved_at > config.checkpoint_s:
                self._save()
        point = {
            "epoch": epoch + 1,
            **{name: total / state["batch"] for name, total in state["loss_sums"].items()},
            "accuracy": self._accuracy(),
            "learning_rate": float(self._optimiser.get_lr()),
            "lines_per_s": (self._seen - seen) / max(1e-6, time.monotonic() - started),
        }
        self.curve.append(point)
        if config.patience and _best_point(self.curve) is point:
            self._best = [p.numpy() for p in self._task.parameters]
        self._cool_if_accurate()
        state.update(epoch=epoch + 1, batch=0, loss_sums={})
        self._save()
        logger.info("epoch %d: loss %.4f, accuracy %.4f", epoch + 1, point["loss"], point["accuracy"])
        return point

    def _reaches_a_target(self) -> bool:
        config, state = self._config, self._state
        state["seconds"] = self._before_s + time.monotonic() - self._started
        # Clocks differ: when one of them is over its time, all are.
        if config.minutes and self._team.total(state["seconds"] > 60 * config.minutes):
            state["stopped"] = "minutes"
        elif state["step"] % config.check_steps == 0:
            self._cool_if_accurate()
        return bool(state["stopped"]) or self._cooled()

    def _cool_if_accurate(self) -> None:
        state, target = self._state, self._config.target_accuracy
        if target and state["cools_from"] is None and self._accuracy() >= target:
            state["cools_from"] = state["step"]

    def _cooled(self) -> bool:
        cools_from = self._state["cools_from"]
        return cools_from is not None and self._state["step"] >= cools_from + self._cooldown_steps()

    def _cooldown_steps(self) -> int:
        return round(self._config.cooldown * self._state["cools_from"])

    def _rate(self, steps: int) -> float:
        """Of the next step: as scheduled; once accurate enough, falling from there to nothing in a straight line."""
        step, cools_from = self._state["step"], self._state["cools_from"]
        if cools_from is None:
            return learning_rate(step, steps, self._config)
        left = 1 - (step - cools_from) / max(1, self._cooldown_steps())
        return learning_rate(cools_from, steps, self._config) * max(0.0, left)

    def _step(self, batch: Indices, rate: float, seed: list[int]) -> None:
        self._optimiser.set_lr(rate)
        team = self._team
        losses = self._task.backward(team.share(batch).tolist(), np.random.default_rng([*seed, *team.number]))
        team.add_up_gradients(self._task.parameters, batch)
        if self._config.l2_sp:
            drift = paddle.add_n(
                [paddle.square(p - q).sum() for p, q in zip(self._task.parameters, self._anchors, strict=True)]
            )
            (self._config.l2_sp * drift).backward()
        self._optimiser.step()
        self._optimiser.clear_grad()
        self._seen += len(batch)
        state = self._state
        state.update(batch=state["batch"] + 1, step=state["step"] + 1, lines=state["lines"] + len(batch))
        sums = state["loss_sums"]
        sums.update({name: sums.get(name, 0.0) + loss for name, loss in losses.items()})

    def _progress(self, number: int, steps: int) -> Progress:
        elapsed, step = time.monotonic() - self._started, self._state["step"]
        return Progress(
            phase="train",
            epoch=self._state["epoch"] + 1,
            epochs=self._config.run_epochs,
            step=step,
            steps=steps,
            loss=self._state["loss_sums"]["loss"] / (number + 1),
            accuracy=self.curve[-1]["accuracy"] if self.curve else 0.0,
            lines_per_s=self._seen / elapsed,
            eta_s=(steps - step) * elapsed / (step - self._first_step),
        )

    def _accuracy(self) -> float:
        """Mean score of the validation lines: of a recogniser, the share read right in full."""
        step, value = self._measured
        if step != self._state["step"]:
            mine = self._validation[self._team.rank :: self._team.size]
            value = self._team.total(sum(map(self._score, mine))) / len(self._validation)
            self._measured = self._state["step"], value
        return value

    def _save(self) -> None:
        if self._team.leads:
            save_checkpoint(self._folder, self._task.parameters, self._optimiser, self._state, self._best)
        self._saved_at = time.monotonic()


def _best_point(curve: Sequence[dict[str, float]]) -> dict[str, float]:
    """The most accurate epoch, the earliest of equals."""
    return max(curve, key=lambda point: point["accuracy"])


def _out_of_patience(curve: Sequence[dict[str, float]], patience: int) -> bool:
    return bool(patience and curve and curve[-1]["epoch"] - _best_point(curve)["epoch"] >= patience)
