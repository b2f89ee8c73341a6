"""Several processes, one for each GPU, that train one network together: each takes a share of every batch, and their
gradients are added up, so that all take the same step.

Started by paddle's own launcher (`paddle.distributed.launch`); NCCL between GPUs, gloo between processes without.
Importing this module imports paddle.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from drawops.errors import DrawopsError, SettingsError
from drawops.training.config import Progress, TrainConfig

_PROGRESS = "progress.jsonl"
_WORKER = "from drawops.training.parallel import _work\n\n_work()\n"


def processes(config: TrainConfig) -> int:
    """How many are to train together: as asked, or one for each GPU. Rows of the head need no more than one."""
    return 1 if config.mode == "incremental" else config.processes or max(1, _gpus())


def require_gpu(config: TrainConfig) -> None:
    """Raises SettingsError for a precision that paddle only has on GPUs: it would silently compute in float32."""
    if config.precision != "float32" and not _gpus():
        raise SettingsError(f"precision={config.precision} needs a GPU that paddle can use, and there is none.")


def _gpus() -> int:
    return paddle.device.cuda.device_count() if paddle.device.is_compiled_with_cuda() else 0


class Team:
    """The processes that train together, and which of them this one is. Alone, nothing has to be exchanged."""

    def __init__(self) -> None:
        self.rank, self.size = paddle.distributed.get_rank(), paddle.distributed.get_world_size()
        if self.size > 1:
            paddle.distributed.init_parallel_env()

    @property
    def leads(self) -> bool:
        """One alone writes checkpoints and the result, and tells how far they are."""
        return self.rank == 0

    @property
    def number(self) -> list[int]:
        """What a process's random numbers are drawn with beside the run's seed; alone, nothing."""
        return [self.rank] if self.size > 1 else []

    def share(self, lines: NDArray[np.intp]) -> NDArray[np.intp]:
        """This process's part of a batch. One that is too small for all is done by each."""
        return lines[self.rank :: self.size] if len(lines) >= self.size else lines

    def add_up_gradients(self, parameters: list[paddle.Tensor], lines: NDArray[np.intp]) -> None:
        """Make each gradient, the mean over this process's share of `lines`, the mean over all of them."""
        if self.size == 1:
            return
        share = self.share(lines)
        weight = len(share) / len(lines) if len(lines) >= self.size else 1 / self.size
        for parameter in parameters:
            gradient = parameter.grad if parameter.grad is not None else paddle.zeros_like(parameter)
            gradient = gradient * weight
            paddle.distributed.all_reduce(gradient)
            parameter.grad = gradient

    def total(self, value: float) -> float:
        """The sum of the processes' values."""
        if self.size == 1:
            return value
        found = paddle.to_tensor([value], "float64")
        paddle.distributed.all_reduce(found)
        return float(found)


def launch(
    count: int,
    arguments: dict[str, Any],
    config: TrainConfig,
    folder: Path,
    report: Callable[[Progress], None],
    log_metrics: Callable[[dict[str, float], int], None] | None,
) -> None:
    """Run `drawops.training.train` in `count` processes and tell what the first of them tells.

    Args:
        arguments: of `train` but the config and the calls. folder: for their logs.
    Raises:
        DrawopsError: one of them failed; its log is named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "worker.py").write_text(_WORKER, encoding="utf-8")
    job = {"arguments": {k: v and str(v) for k, v in arguments.items()}, "config": config.model_dump()}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (folder / _PROGRESS).write_text("", encoding="utf-8")
    gpus = ["--gpus", ",".join(map(str, range(count)))] if _gpus() else []
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(count), *gpus]
    command += ["--log_dir", str(folder), str(folder / "worker.py"), str(folder / "job.json")]
    with (folder / "launch.log").open("wb") as log, (folder / _PROGRESS).open(encoding="utf-8") as told:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while True:
                ended = running.poll() is not None
                for line in told:
                    _tell(json.loads(line), report, log_metrics)
                if ended:
                    break
                time.sleep(0.2)
        finally:
            running.terminate()  # the launcher ends its processes
            running.wait()
    if running.returncode:
        logs = sorted(folder.glob("workerlog.*"))
        last = logs[0].read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if logs else []
        raise DrawopsError(f"Training in {count} processes failed: {''.join(last)} Their logs are in {folder}.")


def _tell(
    message: dict[str, Any],
    report: Callable[[Progress], None],
    log_metrics: Callable[[dict[str, float], int], None] | None,
) -> None:
    if "epoch" in message and "values" in message:
        if log_metrics:
            log_metrics(message["values"], message["epoch"])
    else:
        report(Progress(**message))


def _work() -> None:
    """One of the processes that `launch` started."""
    from drawops.training.loop import train

    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    arguments = {k: v and Path(v) for k, v in job["arguments"].items()}
    with Path(sys.argv[1]).with_name(_PROGRESS).open("a", encoding="utf-8", buffering=1) as told:

        def tell(message: dict[str, Any]) -> None:
            if paddle.distributed.get_rank() == 0:
                told.write(json.dumps(message) + "\n")

        train(
            **arguments,
            config=TrainConfig(**job["config"]),
            on_progress=lambda progress: tell(asdict(progress)),
            log_metrics=lambda values, epoch: tell({"values": values, "epoch": epoch}),
        )
