"""What a process has cost."""

import subprocess
import sys

import numpy as np
import pytest

from drawops.costs import cpu_seconds, peak_mb


def test_the_peak_stays_when_memory_is_given_back():
    before = peak_mb()
    block = np.ones(200 << 20, np.uint8)
    high = peak_mb()
    del block
    assert high > before + 150
    assert peak_mb() == pytest.approx(high, abs=10)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system tells only the larger of the two")
def test_a_child_does_not_count_the_memory_of_its_parent():
    held = np.ones(300 << 20, np.uint8)
    code = "from drawops.costs import peak_mb; print(peak_mb())"
    child = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert held.size and child < 100


def test_cpu_seconds_grow_with_work():
    before = cpu_seconds()
    sum(n * n for n in range(2_000_000))
    assert cpu_seconds() > before
