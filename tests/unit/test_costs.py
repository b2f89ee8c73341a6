"""What a process has cost."""

import subprocess
import sys

import numpy as np
import pytest

from drawops.costs import cpu_seconds


def told_by_a_child(code: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def test_the_peak_stays_when_memory_is_given_back():
    code = "from drawops.costs import peak_mb; a = peak_mb(); b = b'x' * (200 << 20); c = peak_mb(); del b; print(a, c, peak_mb())"
    before, high, after = told_by_a_child(code)
    assert high > before + 150
    assert after == pytest.approx(high, abs=5)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system tells only the larger of the two")
def test_a_child_does_not_count_the_memory_of_its_parent():
    held = np.ones(300 << 20, np.uint8)
    (child,) = told_by_a_child("from drawops.costs import peak_mb; print(peak_mb())")
    assert held.size and child < 100


def test_cpu_seconds_grow_with_work():
    before = cpu_seconds()
    sum(n * n for n in range(2_000_000))
    assert cpu_seconds() > before
