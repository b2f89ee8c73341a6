"""Intervals and paired tests against numbers worked out by hand."""

import numpy as np
import pytest

from drawops.evaluation.significance import (
    Interval,
    bootstrap_ratio,
    cluster_sums,
    holm,
    lines_to_decide,
    mcnemar,
    sign_flip_p,
    widened,
)


def test_values_are_summed_by_cluster():
    assert cluster_sums([1, 0, 1], [1, 1, 1], ["b", "a", "b"]).tolist() == [[0, 1], [2, 2]]


def test_the_bootstrap_gives_the_same_interval_for_the_same_seed():
    sums = cluster_sums([1, 0, 1, 1, 0], [1] * 5, list("abcde"))
    assert bootstrap_ratio(sums, seed=3) == bootstrap_ratio(sums, seed=3)
    assert bootstrap_ratio(sums, seed=3, resamples=50) != bootstrap_ratio(sums, seed=4, resamples=50)


def test_the_bootstrap_of_independent_lines_has_the_binomial_width():
    right = [1] * 900 + [0] * 100
    interval = bootstrap_ratio(cluster_sums(right, [1] * 1000, [str(i) for i in range(1000)]))
    half = 1.96 * np.sqrt(0.9 * 0.1 / 1000)
    assert interval.low == pytest.approx(0.9 - half, abs=0.003)
    assert interval.high == pytest.approx(0.9 + half, abs=0.003)


def test_lines_of_one_drawing_don_t_count_as_independent():
    right = ([1] * 50 + [0] * 50) * 5
    by_line = bootstrap_ratio(cluster_sums(right, [1] * 500, [str(i) for i in range(500)]))
    by_drawing = bootstrap_ratio(cluster_sums(right, [1] * 500, [str(i // 50) for i in range(500)]))
    assert by_drawing.high - by_drawing.low > 4 * (by_line.high - by_line.low)


def test_one_drawing_has_no_interval():
    assert bootstrap_ratio(cluster_sums([1, 0], [1, 1], ["a", "a"])) is None


def test_an_interval_without_width_is_widened_by_the_rule_of_three():
    assert widened(Interval(1.0, 1.0), 300) == Interval(0.99, 1.01)
    assert widened(Interval(0.2, 0.3), 300) == Interval(0.2, 0.3)
    assert widened(None, 300) is None


def test_mcnemar_is_the_exact_binomial_test():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(1, 7) == pytest.approx(2 * (1 + 8) / 256)
    assert mcnemar(4, 4) == 1.0


def test_the_sign_flip_test_over_single_lines_is_mcnemar():
    assert sign_flip_p([1] * 7 + [-1]) == pytest.approx(mcnemar(1, 7))
    assert sign_flip_p([0, 0]) == 1.0


def test_the_sign_flip_test_knows_that_one_drawing_is_one_witness():
    assert sign_flip_p([20]) == 1.0  # either sign is as likely: one drawing proves nothing
    assert sign_flip_p([3, 2]) == pytest.approx(0.5)  # ±5 are 2 of the 4 sign patterns


def test_holm_adjusts_for_the_number_of_tests():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_more_lines_are_asked_for_in_proportion_to_the_squared_width():
    # standard error 0.0102 / 1.96 x sqrt(n) ... at n = 100: needed = 100 * (2.8016 * 0.0051/0.01)^2
    seen = Interval(0.0, 0.02)
    needed = lines_to_decide(0.01, seen, 0.0, 100)
    assert needed == pytest.approx(100 * (2.801585 / 1.959964) ** 2 - 100, abs=1)
    assert lines_to_decide(0.01, Interval(-0.01, 0.03), 0.0, 100) > 3 * needed
    assert lines_to_decide(0.0, seen, 0.0, 100) is None


def test_wilsons_interval_has_a_width_at_the_ends_and_stays_within_them():
    from drawops.evaluation.significance import wilson

    # Newcombe (1998), table I: 15 of 148, and 0 of 20.
    found = wilson(15, 148)
    assert found and (round(found.low, 4), round(found.high, 4)) == (0.0624, 0.1605)
    none = wilson(0, 20)
    assert none and (round(none.low, 4), round(none.high, 4)) == (0.0, 0.1611)
    assert wilson(0, 0) is None


def test_more_lines_would_decide_what_a_few_leave_open():
    from drawops.evaluation.significance import clusters_to_decide, mcnemar

    assert clusters_to_decide(0, 8, 8) == 0  # p = 0.0078
    more = clusters_to_decide(0, 4, 40, tests=10)  # p = 0.125; 9 changed places make 0.0039 * 10
    assert more == 50 and mcnemar(0, 9) * 10 < 0.05 <= mcnemar(0, 8) * 10
    assert clusters_to_decide(3, 3, 40) is None
    assert clusters_to_decide(1000, 1001, 100_000) is None
