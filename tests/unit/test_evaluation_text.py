"""Text metrics against numbers worked out by hand."""

import pytest

from drawops.evaluation.text import EditCounts, cer, edit_counts, exact_match, symbol_recall, symbols_read


def test_edits_are_counted_by_kind():
    assert edit_counts("⌀60H7", "060H7") == EditCounts(substitutions=1, characters=5)
    assert edit_counts("R2.5", "R25") == EditCounts(deletions=1, characters=4)
    assert edit_counts("M8", "M18") == EditCounts(insertions=1, characters=2)
    assert edit_counts("", "x") == EditCounts(insertions=1, characters=0)


def test_cer_sums_edits_over_the_corpus_before_dividing():
    # 1 edit in 4 characters and 0 in 12: 1 / 16, not the mean of 1/4 and 0.
    assert cer(["R2.5", "技术要求未注倒角均为C一"], ["R25", "技术要求未注倒角均为C一"]) == pytest.approx(1 / 16)


def test_cer_can_exceed_one():
    assert cer(["1"], ["1234"]) == pytest.approx(3.0)


def test_exact_match_counts_lines_that_are_right_in_full():
    assert exact_match(["⌀60", "R5", "M8", "C1"], ["⌀60", "R5", "M8x1", ""]) == pytest.approx(0.5)


def test_metrics_of_no_lines_are_refused():
    with pytest.raises(ValueError, match="No lines"):
        exact_match([], [])
    with pytest.raises(ValueError, match="2 references but 1 readings"):
        cer(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no characters"):
        cer([""], ["a"])


def test_a_symbol_is_read_where_the_alignment_has_it():
    assert symbols_read("⌀6⌀", "⌀60") == [("⌀", True), ("6", True), ("⌀", False)]
    assert symbols_read("±0.1", "0.1")[0] == ("±", False)


def test_symbol_recall_counts_occurrences_and_ignores_spaces():
    recall = symbol_recall(["⌀8 ⌀9", "⌀7"], ["⌀8 09", "⌀7"])
    assert recall == {"⌀": (2, 3), "8": (1, 1), "9": (1, 1), "7": (1, 1)}
