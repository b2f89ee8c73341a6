"""What a training run takes and what it tells: plain values, importable without paddle."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drawops.errors import SettingsError, did_you_mean

Stopped = Literal["epochs", "patience", "accuracy", "minutes"]


class RunConfig(BaseModel):
    """What every training run takes, whatever it trains; its kinds say how long and how fast by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    warmup: float = Field(0.05, ge=0.0, le=0.5, description="Share of all steps in which the rate rises linearly.")
    lr_policy: Literal["cosine", "fixed", "exp", "inv", "poly"] = Field(
        "cosine", description="How the rate falls; see `drawops.training.schedule` for the formulas."
    )
    gamma: float | None = Field(
        None, gt=0.0, description="Of exp and inv, per optimiser step; default: 0.999 for exp, 1e-4 for inv."
    )
    power: float = Field(0.9, gt=0.0, description="Of inv and poly.")
    new_to_old: float = Field(7 / 3, gt=0.0, description="New lines to replayed old lines in every batch.")
    l2_sp: float = Field(1e-3, ge=0.0, description="Weight of the squared distance from the base's parameters.")
    weight_decay: float = Field(0.0, ge=0.0, description="AdamW's decay towards zero; the base is no zero.")
    clip_norm: float = Field(5.0, gt=0.0, description="Largest global norm of the gradient.")
    patience: int = Field(
        0,
        ge=0,
        description="Stop after so many epochs without a better accuracy and keep the best epoch's weights; "
        "0: train all epochs and keep the last.",
    )
    target_accuracy: float | None = Field(
        None, gt=0.0, le=1.0, description="End the training when this share of the validation lines is read exactly."
    )
    cooldown: float = Field(
        0.5,
        ge=0.0,
        le=10.0,
        description="Steps in which the rate then falls to nothing, as a share of those before: a network that is left "
        "at a high rate has forgotten more.",
    )
    minutes: float | None = Field(
        None, gt=0.0, description="Stop after so many minutes of steps, those before a kill included."
    )
    check_steps: int = Field(
        20, ge=1, description="Steps between two looks at the accuracy inside an epoch, where a target is set."
    )
    checkpoint_s: float = Field(60.0, gt=0.0, description="Seconds between checkpoints inside an epoch.")
    threads: int = Field(0, ge=0, description="Threads of the feature extraction; 0 lets the runtime choose.")
    seed: int = Field(0, ge=0, lt=2**31, description="Order, initial rows and augmentation.")

    @property
    def run_epochs(self) -> int:
        raise NotImplementedError

    @property
    def peak_rate(self) -> float:
        raise NotImplementedError

    @property
    def decay_gamma(self) -> float:
        return self.gamma or (0.999 if self.lr_policy == "exp" else 1e-4)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """A config from outside values, such as `--set key=value`.

        Raises:
            SettingsError: an unknown name (the nearest known one is named) or a value out of its range.
        """
        for name in values:
            if name not in cls.model_fields:
                raise SettingsError(f"Unknown training parameter '{name}'. {did_you_mean(name, cls.model_fields)}")
        try:
            return cls(**values)
        except ValidationError as exc:
            first = exc.errors()[0]
            raise SettingsError(f"Training parameter {first['loc'][0]}={first['input']}: {first['msg']}.") from exc


class TrainConfig(RunConfig):
    """Parameters of a recogniser's training. Where the default depends on the mode, None stands for it."""

    mode: Literal["incremental", "full"] = Field(
        "incremental", description="incremental: the head's rows of the new lines; full: every layer."
    )
    layers: Literal["head", "neck"] = Field(
        "head", description="What incremental training changes: rows of the head alone, or the neck before it as well."
    )
    neck_pace: float = Field(0.1, gt=0.0, le=1.0, description="Rate of the neck's parameters as a share of the head's.")
    epochs: int | None = Field(None, ge=1, description="Passes over the new lines; default: 20 incremental, 10 full.")
    batch_size: int = Field(32, ge=1, le=1024, description="Lines in one optimiser step, old ones included.")
    learning_rate: float | None = Field(
        None, gt=0.0, lt=1.0, description="Peak rate; default: 4e-3 incremental, 1e-4 full."
    )
    new_symbol_lines: int = Field(
        3, ge=1, description="A character outside the dictionary is added when this many training lines have it."
    )
    distill: str = Field(
        "", description="Model version whose readings are learnt from beside the labels: the teacher; empty: none."
    )
    distill_lines: Literal["old", "all"] = Field(
        "old", description="Lines that the teacher is asked about: the replayed ones, so as not to forget, or all."
    )
    alpha: float = Field(
        0.5, ge=0.0, le=1.0, description="Weight of the teacher's term; that of the labels: 1 - alpha."
    )
    temperature: float = Field(2.0, gt=0.0, le=100.0, description="What teacher's and student's logits are divided by.")
    processes: int = Field(
        0, ge=0, le=64, description="That train every layer together; 0: one for each GPU, one where there is none."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Of full training's forward and backward pass; weights, loss and result stay float32."
    )

    @property
    def run_epochs(self) -> int:
        return self.epochs or (20 if self.mode == "incremental" else 10)

    @property
    def peak_rate(self) -> float:
        # Short runs are what forgets: symbols' rows rise on every rare character before replay pulls them down.
        # In 105 steps 2e-3 lost 5.7 of 1,000 general lines (3 seeds) and 4e-3 1.7; in 480 steps there is no difference.
        return self.learning_rate or (4e-3 if self.mode == "incremental" else 1e-4)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        config = super().parse(values)
        if config.distill and config.mode == "incremental" and config.layers == "neck":
            raise SettingsError("distill works with layers=head or in full training. Leave out one of distill, layers.")
        return config


class DetectorConfig(RunConfig):
    """Parameters of a detector's training. Its lines are crops of sheets; replayed are crops of generated ones."""

    layers: Literal["head", "neck"] = Field(
        "head", description="What is trained: the head alone, or the neck before it as well. The backbone is frozen."
    )
    sheets: int = Field(120, ge=0, le=5000, description="Generated sheets to learn from, or to replay.")
    crops: int = Field(4, ge=1, le=64, description="Crops of each page.")
    held_out: int = Field(16, ge=2, le=500, description="Generated sheets, never learnt from, on which it is judged.")
    epochs: int | None = Field(None, ge=1, description="Passes over the new crops; default: 8.")
    batch_size: int = Field(4, ge=1, le=64, description="Crops in one optimiser step, replayed ones included.")
    learning_rate: float | None = Field(None, gt=0.0, lt=1.0, description="Peak rate; default: 1e-3.")
    patience: int = Field(3, ge=0, description="Stop after so many epochs without a better agreement; 0: never.")
    seed: int = Field(0, ge=0, lt=10**6, description="Crops, their order, and the generated sheets to learn from.")

    @property
    def run_epochs(self) -> int:
        return self.epochs or 8

    @property
    def peak_rate(self) -> float:
        return self.learning_rate or 1e-3


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `phase` is "features" (step and steps count lines) or "train" (optimiser steps)."""

    phase: Literal["features", "train"]
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    lines_per_s: float
    eta_s: float


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model directory and what `model.json` says about it.

    `skipped_labels` counts training lines that were left out, for characters outside the dictionary or a label
    longer than its crop can hold;
    `unknown_characters` says which characters and in how many lines. `stopped`: what ended it. `lines_trained`: lines
    that went through an optimiser step, old ones and repetitions included. `cpu_seconds`: of this process and all its
    threads, in `caches` (reading the lines, features), `training` (steps, validation, checkpoints) and `export`;
    those before a kill are not known.
    """

    model_dir: Path
    mode: str
    added_characters: str
    counts: dict[str, int]
    accuracy: float
    seconds: float
    peak_memory_mb: float
    skipped_labels: int = 0
    unknown_characters: dict[str, int] = field(default_factory=dict)
    stopped: Stopped = "epochs"
    lines_trained: int = 0
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
