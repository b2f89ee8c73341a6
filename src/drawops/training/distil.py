"""Distillation: a teacher's probabilities as a second thing to learn, beside the labels.

    loss = (1 - alpha) * task + alpha * T**2 * KL(teacher_T || student_T)

after Hinton, Vinyals and Dean (arXiv:1503.02531): both softmaxes are taken at temperature T, and T**2 keeps the
gradient's size when T changes. KL is summed over classes and averaged over the frames of a line, then over lines.
Only classes that both know are compared, so a symbol that is new to the teacher is not argued away (Li and Hoiem,
Learning without Forgetting, arXiv:1606.09282). Importing this module imports paddle.
"""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from drawops.errors import InputRefused
from drawops.ocr.recogniser import Recogniser
from drawops.training.features import FeatureCache

Floats = NDArray[np.float32]
_LEAST = 1e-37  # probability that a float32 can hold; at 1e-12 and T = 2 the thousands of rare classes would have 2 %


def soft_term(student: paddle.Tensor, teacher: paddle.Tensor, temperature: float) -> paddle.Tensor:
    """T**2 * KL(teacher_T || student_T) of each frame.

    Args:
        student, teacher: (..., C) logits, or log-probabilities: a softmax does not see the difference.
    Returns:
        (...) float, 0 where the two agree.
    """
    ours = F.log_softmax(student / temperature, axis=-1)
    theirs = F.log_softmax(teacher / temperature, axis=-1)
    return temperature**2 * (paddle.exp(theirs) * (theirs - ours)).sum(axis=-1)


class Teacher:
    """A frozen recogniser and how much it counts. `classes`: the first so many classes are known to both.

    Args:
        lines: numbers of the lines that it is asked about.
    Raises:
        InputRefused: its dictionary and the student's go apart, so their classes can't be compared.
    """

    def __init__(
        self, recogniser: Recogniser, charset: Sequence[str], lines: Sequence[int], *, alpha: float, temperature: float
    ) -> None:
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(recogniser.charset, charset)))  # noqa: B905
        if shared < min(len(recogniser.charset), len(charset)):
            raise InputRefused(
                str(recogniser.path),
                f"can't teach: its dictionary goes another way after {shared:,} characters. Take a version that the "
                "new one descends from, or that descends from the same.",
            )
        self.recogniser, self.classes = recogniser, shared + 1
        self.alpha, self.temperature = alpha, temperature
        self.lines = sorted(int(i) for i in lines)
        self._asked = frozenset(self.lines)

    def label_weights(self, lines: Sequence[int]) -> paddle.Tensor:
        """(N,) what the labels count: 1 - alpha where the teacher is asked, all elsewhere."""
        return paddle.to_tensor(np.array([1 - self.alpha if i in self._asked else 1.0 for i in lines], np.float32))

    def term(self, lines: Sequence[int], logits: paddle.Tensor, batch: Floats) -> paddle.Tensor:
        """(K,) alpha * T**2 * KL of each of the lines that the teacher is asked about, the mean over its frames.

        Args:
            lines: their numbers. logits: (N, T, C) of the student. batch: (N, 3, 48, W), the same pictures.
        """
        asked = [row for row, i in enumerate(lines) if i in self._asked]
        if not asked:
            return paddle.zeros([1])
        probabilities = self.recogniser.probabilities(batch[asked])[:, :, : self.classes]
        theirs = paddle.to_tensor(np.log(np.maximum(probabilities, _LEAST)))
        ours = logits.index_select(paddle.to_tensor(asked))[:, :, : self.classes]
        return self.alpha * soft_term(ours, theirs, self.temperature).mean(axis=-1)


class HeadTeacher:
    """The teacher of head training: what it makes of each frame is computed once, as the student's rest is.

    Of S = the trained rows, and of all other classes together, there is one probability each; KL over these groups is
    at most that over the classes, and equal where the rest, which does not train, agrees.

    Args:
        student: features of all lines for the student's head. theirs: of the teacher's lines alone, for its own.
        frames: (N,) of each line. rows: S. weight (D, C), bias (C,): the student's head.
    """

    def __init__(
        self,
        teacher: Teacher,
        student: FeatureCache,
        theirs: FeatureCache,
        frames: NDArray[np.intp],
        rows: Sequence[int],
        weight: Floats,
        bias: Floats,
    ) -> None:
        self.teacher, self._student, self._frames = teacher, student, frames
        common = [(place, row) for place, row in enumerate(rows) if row < teacher.classes]
        self._places, own = (np.array(part, np.int64) for part in zip(*common, strict=True))
        rest = np.setdiff1d(np.arange(teacher.classes), own)
        head, offset = teacher.recogniser.head()
        rows_first = np.concatenate([own, rest])
        head, offset = head[:, rows_first] / teacher.temperature, offset[rows_first] / teacher.temperature
        fixed, fixed_bias = weight[:, rest] / teacher.temperature, bias[rest] / teacher.temperature
        self._rest: dict[int, Floats] = {}  # (T, 1) log-sum-exp of the student's other classes
        self._soft: dict[int, Floats] = {}  # (T, S' + 1) the teacher's logits of S and log-sum-exp of the others
        for number, line in enumerate(teacher.lines):
            self._rest[line] = _lse(student.get(line) @ fixed + fixed_bias)
            logits = theirs.get(number) @ head + offset
            self._soft[line] = np.concatenate([logits[:, : len(own)], _lse(logits[:, len(own) :])], axis=1)

    def term(self, lines: Sequence[int], weight: paddle.Tensor, bias: paddle.Tensor) -> paddle.Tensor:
        """(F,) alpha * T**2 * KL of each frame of the lines that the teacher is asked about, by its share of its line.

        Args:
            weight: (D, S), bias: (S,): the student's rows as they are now.
        """
        asked = [i for i in lines if i in self._soft]
        if not asked:
            return paddle.zeros([1])
        hidden, rest, theirs = (
            paddle.to_tensor(np.concatenate([part(i) for i in asked]))
            for part in (self._student.get, self._rest.__getitem__, self._soft.__getitem__)
        )
        share = np.concatenate([np.full(self._frames[i], 1 / self._frames[i], np.float32) for i in asked])
        logits = (paddle.matmul(hidden, weight) + bias).index_select(paddle.to_tensor(self._places), axis=1)
        # At temperature T already: the log-sum-exp over the others has to be taken there.
        ours = paddle.concat([logits / self.teacher.temperature, rest], axis=1)
        terms = soft_term(ours, theirs, 1.0) * self.teacher.temperature**2
        return self.teacher.alpha * terms * paddle.to_tensor(share)


def _lse(logits: Floats) -> Floats:
    """(T, 1) logsumexp over the classes of (T, C)."""
    top = logits.max(axis=1, keepdims=True)
    return top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
