"""An embedding learnt from families of drawings: `drawops train-embedding`.

The frozen vector stays the ground. Each of its numbers is weighed and a linear map is added that pulls drawings of a family
together and others apart; it begins as nothing. Families are split, not drawings: a part of them is learnt from, a part says when to stop, a part
that neither has seen decides whether the result is better than the frozen vector at all.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawops.errors import InputRefused, SettingsError
from drawops.similarity.embedding import BLOCKS, BUILT_IN, WIDTH, join, projection
from drawops.similarity.kept import Kept, left
from drawops.similarity.reranking import scores_between
from drawops.similarity.retrieval import Retrieval, retrieval_of_scores

if TYPE_CHECKING:
    import torch

MIN_FAMILIES = 12
_TEST, _STOP = 0.25, 0.15  # of the families
_TEMPERATURE = 0.07
_FAMILIES_A_BATCH, _MEMBERS = 32, 4
_LEARNT = "learnt"  # the name of what a training keeps
_PATIENCE = 8  # epochs without a better score on the families that say when to stop


@dataclass(frozen=True)
class Example:
    """A drawing: its family, the descriptors of its views (V, 2391) float32 as `stacked` gives them, and those of its
    views distorted, which are learnt from but never tested on."""

    family: str
    views: NDArray[np.float32]
    distorted: Sequence[NDArray[np.float32]] = ()


@dataclass(frozen=True)
class Comparison:
    """Frozen and trained vectors on families that neither training nor stopping has seen.

    `gain` is the mean, over those families, of trained minus frozen mAP in points, with its 95 % interval (bootstrap over
    families). `better`: the interval lies above zero.
    """

    families: int
    drawings: int
    frozen: Retrieval
    trained: Retrieval
    gain: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        return self.low > 0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "better": self.better}


@dataclass(frozen=True)
class Learnt:
    """`head` maps descriptors (N, 2391) to vectors (N, 256); `epochs` until the best."""

    head: "torch.nn.Module"
    comparison: Comparison
    epochs: int


def learn(
    examples: Sequence[Example],
    *,
    epochs: int = 60,
    rate: float = 3e-4,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
    kept: Kept | None = None,
) -> Learnt:
    """Train on most families, compare on the others. The same examples and seed give the same head on one machine, also
    after a kill, when `kept` holds what the same training had learnt.

    The loss is the supervised contrastive one (Khosla et al. 2020) on the very score that a search gives: of two drawings,
    the mean over the views of the one of its best view in the other.

    Raises:
        InputRefused: fewer than 12 families with two drawings. SettingsError: epochs or rate of no use.
    """
    import torch

    if epochs < 1 or not 0 < rate < 1:
        raise SettingsError(f"epochs={epochs}, rate={rate}: epochs must be at least 1, the rate between 0 and 1.")
    rng = np.random.default_rng(seed)
    learnt_from, stops, tests = _split(examples, rng)
    torch.manual_seed(seed)
    head = build_head()
    weights, added = head.get_parameter("weight"), head.get_parameter("added.weight")
    groups: list[dict[str, Any]] = [{"params": [weights], "lr": 30 * rate}, {"params": [added]}]
    optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=0.05)
    families = _by_family(learnt_from)
    run = _Run(head, optimiser, rng, kept or Kept(), [_fingerprint(examples), seed, rate])
    if run.resume(epochs):
        say(f"going on after epoch {run.epoch}: best mAP {run.best:.2f}")
    else:
        run.look(0, evaluate(head, stops).mean_ap)
        others = len({e.family for e in stops})
        say(f"{len(families)} families to learn from; mAP {run.best:.1f} on {others} others before")
    started, before = time.monotonic(), run.epoch
    while run.epoch < epochs and run.epoch - run.best_epoch < _PATIENCE:
        head.train()
        losses = []
        for batch in _batches(families, rng):
            loss = contrastive_loss(head, batch)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
        score = evaluate(head, stops).mean_ap
        run.look(run.epoch + 1, score)
        most = left(epochs - run.epoch, run.epoch - before, time.monotonic() - started)
        say(f"epoch {run.epoch} of at most {epochs}: loss {np.mean(losses):.3f}, mAP {score:.2f}, at most {most}")
    run.go_back_to_the_best()
    return Learnt(head.eval(), compare(head, tests, seed=seed), run.best_epoch)


class _Run:
    """Where a training stands: after each epoch all that decides how it goes on is kept."""

    def __init__(
        self,
        head: "torch.nn.Module",
        optimiser: "torch.optim.Optimizer",
        rng: np.random.Generator,
        kept: Kept,
        identity: list[Any],
    ) -> None:
        self._head, self._optimiser, self._rng, self._kept, self._identity = head, optimiser, rng, kept, identity
        self.epoch, self.best_epoch, self.best = 0, 0, -1.0
        self._best_state: dict[str, torch.Tensor] = {}

    def look(self, epoch: int, score: float) -> None:
        """`score` was reached after that epoch."""
        import torch

        self.epoch = epoch
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            self._best_state = {name: value.detach().clone() for name, value in self._head.named_parameters()}
        state = [self._identity, epoch, self.best, self.best_epoch, self._rng.bit_generator.state]
        arrays = {"state": np.frombuffer(json.dumps(state).encode(), np.uint8), "torch": torch.get_rng_state().numpy()}
        for name, value in self._head.named_parameters():
            arrays |= {f"now.{name}": value.detach().numpy(), f"best.{name}": self._best_state[name].numpy()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            arrays |= {f"optimiser.{number}.{name}": value.numpy() for name, value in moments.items()}
        self._kept.save(_LEARNT, arrays)

    def resume(self, epochs: int) -> bool:
        """Go back to where the same training was, unless it had gone further than that many epochs."""
        import torch

        if (arrays := self._kept.load(_LEARNT)) is None:
            return False
        identity, epoch, best, best_epoch, drawn = json.loads(arrays["state"].tobytes())
        if identity != self._identity or epoch > epochs:
            return False
        self.epoch, self.best, self.best_epoch = epoch, best, best_epoch
        self._rng.bit_generator.state = drawn
        torch.set_rng_state(torch.from_numpy(arrays["torch"]))
        of: dict[str, dict[str, torch.Tensor]] = {"now": {}, "best": {}}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in arrays.items():
            kind, _, name = key.partition(".")
            if kind in of:
                of[kind][name] = torch.from_numpy(value)
            elif kind == "optimiser":
                number, _, name = name.partition(".")
                moments.setdefault(int(number), {})[name] = torch.from_numpy(value)
        self._head.load_state_dict(of["now"], strict=False)
        self._best_state = of["best"]
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})
        return True

    def go_back_to_the_best(self) -> None:
        self._head.load_state_dict(self._best_state, strict=False)


def _fingerprint(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256(BUILT_IN.encode())
    for example in examples:
        digest.update(example.family.encode())
        for rows in (example.views, *example.distorted):
            digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()


def build_head() -> "torch.nn.Module":
    """The frozen vector, each number weighed by one, plus a linear map of it that is nothing yet: a metric that begins as
    the cosine. The weights are few and learnt fast, the map slowly.

    Deeper heads learnt their families by heart and lost on others.
    """
    import torch
    from torch import nn

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, *_ in BLOCKS:
                self.register_buffer(f"{name}_mean", torch.from_numpy(projection()[f"{name}_mean"]))
                self.register_buffer(f"{name}_axes", torch.from_numpy(projection()[f"{name}_axes"]))
            self.register_buffer("metric", torch.from_numpy(projection()["metric"]))
            width = sum(block[2] for block in BLOCKS)
            self.added = nn.Linear(width, width, bias=False)
            self.drop = nn.Dropout(0.3)
            self.weight = nn.Parameter(torch.zeros(width))
            nn.init.zeros_(self.added.weight)

        def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
            parts = []
            for part, (name, _, _, weight) in zip(descriptors.split([b[1] for b in BLOCKS], 1), BLOCKS, strict=True):
                part = (part - self.get_buffer(f"{name}_mean")) @ self.get_buffer(f"{name}_axes")
                parts.append(weight**0.5 * nn.functional.normalize(part, dim=1))
            joined = nn.functional.normalize(torch.cat(parts, 1), dim=1) @ self.get_buffer("metric")
            frozen = self.drop(nn.functional.normalize(joined, dim=1))
            return nn.functional.normalize(frozen * self.weight.exp() + self.added(frozen), dim=1)

    return Head()


def contrastive_loss(head: "torch.nn.Module", batch: Sequence[tuple[str, NDArray[np.float32]]]) -> "torch.Tensor":
    """Mean over the drawings of -log of the share that its family has in the scores of all others."""
    import torch

    views = [v for _, v in batch]
    vectors = head(torch.from_numpy(np.concatenate(views)))
    owner = torch.repeat_interleave(torch.arange(len(views)), torch.tensor([len(v) for v in views]))
    cosines = vectors @ vectors.T
    columns = owner.expand(len(owner), -1)
    best = cosines.new_full((len(owner), len(views)), -2.0).scatter_reduce(1, columns, cosines, "amax")
    mine = torch.nn.functional.one_hot(owner).to(best.dtype)
    scores = (mine / mine.sum(0)).T @ best / _TEMPERATURE  # (drawings, drawings): as `scores_between`
    return supervised_contrastive(scores, np.unique([family for family, _ in batch], return_inverse=True)[1])


def supervised_contrastive(scores: "torch.Tensor", family: NDArray[np.integer]) -> "torch.Tensor":
    """Mean, over rows that have another of their family, of -log of the share that these have in the scores of all others
    (L_out of Khosla et al. 2020).

    Args:
        scores: (B, B), of each with each, divided by the temperature. family: (B,), numbers.
    """
    import torch

    itself = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    same = torch.from_numpy(family[:, None] == family[None]).to(scores.device) & ~itself
    log_share = torch.log_softmax(scores.masked_fill(itself, -1e4), 1)
    return -((log_share * same).sum(1) / same.sum(1).clamp(min=1))[same.any(1)].mean()


def vectors_of(head: "torch.nn.Module", descriptors: NDArray[np.floating]) -> NDArray[np.float32]:
    import torch

    with torch.no_grad():
        result: NDArray[np.float32] = head.eval()(torch.from_numpy(descriptors.astype(np.float32))).numpy()
    return result


def evaluate(head: "torch.nn.Module", examples: Sequence[Example]) -> Retrieval:
    return retrieval_of_scores(
        scores_between([vectors_of(head, e.views) for e in examples]), [e.family for e in examples]
    )


def compare(head: "torch.nn.Module", examples: Sequence[Example], *, seed: int = 0) -> Comparison:
    labels = [e.family for e in examples]
    before = retrieval_of_scores(scores_between([join(e.views) for e in examples]), labels)
    after = evaluate(head, examples)
    gains = np.array([np.subtract(after.by_class[f], before.by_class[f]) for f in sorted(before.by_class)])
    drawn = np.random.default_rng(seed).choice(gains, (2000, len(gains))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Comparison(
        len(set(labels)), len(labels), before, after, float(gains.mean()), round(float(low), 6), round(float(high), 6)
    )


def export(head: "torch.nn.Module", target: Path) -> None:
    """Write the head as ONNX: `descriptors` (N, 2391) float32 -> `vectors` (N, 256), rows of length 1."""
    import warnings

    import torch

    with warnings.catch_warnings():  # the exporter warns of its own successor
        warnings.simplefilter("ignore")
        torch.onnx.export(
            head.eval(),
            (torch.zeros(2, WIDTH),),
            str(target),
            dynamo=False,
            opset_version=17,
            input_names=["descriptors"],
            output_names=["vectors"],
            dynamic_axes={"descriptors": {0: "n"}, "vectors": {0: "n"}},
        )


def _split(examples: Sequence[Example], rng: np.random.Generator) -> tuple[list[Example], list[Example], list[Example]]:
    """By family: to learn from, to stop by, to test on. Families of one drawing are only learnt from."""
    if too_few := lacking(example.family for example in examples):
        raise InputRefused("train-embedding", f"{too_few}. Without a folder it trains on made-up shapes.")
    several = sorted(f for f, members in _by_family(examples).items() if len(members) > 1)
    order = [several[i] for i in rng.permutation(len(several))]
    tests = max(4, round(_TEST * len(order)))
    stops = max(3, round(_STOP * len(order)))
    held = {f: 2 for f in order[:tests]} | {f: 1 for f in order[tests : tests + stops]}
    parts: tuple[list[Example], list[Example], list[Example]] = ([], [], [])
    for example in examples:
        parts[held.get(example.family, 0)].append(example)
    return parts


def lacking(families: Iterable[str]) -> str:
    """What is lacking to learn from drawings of these families, one name a drawing; '' where there are enough."""
    several = sum(count > 1 for count in Counter(families).values())
    if several >= MIN_FAMILIES:
        return ""
    have = "1 family has" if several == 1 else f"{several} families have"
    return f"{have} two drawings or more, at least {MIN_FAMILIES} are needed, to learn from and to test on"


def _by_family(examples: Sequence[Example]) -> dict[str, list[Example]]:
    families: dict[str, list[Example]] = {}
    for example in examples:
        families.setdefault(example.family, []).append(example)
    return families


def _batches(families: dict[str, list[Example]], rng: np.random.Generator) -> list[list[tuple[str, Any]]]:
    """Each family once an epoch, with four of its drawings or of their distorted copies."""
    order = rng.permutation(sorted(families)).tolist()
    batches = []
    for i in range(0, len(order), _FAMILIES_A_BATCH):
        batch = []
        for name in order[i : i + _FAMILIES_A_BATCH]:
            forms = [form for e in families[name] for form in (e.views, *e.distorted)]
            chosen = rng.permutation(len(forms))[:_MEMBERS]
            batch += [(name, forms[j]) for j in chosen]
        batches.append(batch)
    return [b for b in batches if len({name for name, _ in b}) > 1]
