"""The learning rate of each step."""

import math

from drawops.training.config import RunConfig


def learning_rate(step: int, steps: int, config: RunConfig) -> float:
    """The rate of optimiser step `step` of `steps`, both counted in batches.

    A linear warm-up to the peak, `base`, then `config.lr_policy` with `iter` counted from the end of the warm-up and
    `max_iter` the steps after it:

        fixed   base
        exp     base * gamma ** iter
        inv     base * (1 + gamma * iter) ** -power
        poly    base * (1 - iter / max_iter) ** power
        cosine  base * (1 + cos(pi * iter / max_iter)) / 2

    The first four are Caffe's (`GetLearningRate` in `sgd_solver.cpp`, `lr_policy` in `caffe.proto`), to the letter
    with `warmup` 0; cosine is Loshchilov and Hutter's SGDR (arXiv:1608.03983) without restarts.
    """
    base, warmup = config.peak_rate, round(steps * config.warmup)
    if step < warmup:
        return base * (step + 1) / warmup
    iteration, max_iter = step - warmup, max(1, steps - warmup)
    match config.lr_policy:
        case "fixed":
            return base
        case "exp":
            return base * config.decay_gamma**iteration
        case "inv":
            return base * (1 + config.decay_gamma * iteration) ** -config.power
        case "poly":
            return base * (1 - iteration / max_iter) ** config.power
        case "cosine":
            return base * 0.5 * (1 + math.cos(math.pi * iteration / max_iter))
