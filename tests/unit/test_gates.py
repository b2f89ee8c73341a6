"""What a gate says, and why, for evaluations worked out by hand."""

import json

import pytest

from drawops.errors import NotFound, SettingsError
from drawops.evaluation.results import (
    Estimate,
    EvaluationReport,
    ModelSummary,
    Scores,
    SetResult,
    SymbolResult,
)
from drawops.registry.gates import Verdict, list_gates, load_gate
from drawops.registry.register import read_verdict


def result(name, lines, before, after, low, high, *, gained=10, lost=1, symbols=(), clusters=8):
    def scores(value):
        exact = Estimate(value=value, low=value, high=value)
        return Scores(exact=exact, cer=Estimate(value=1 - value), exact_lines=round(lines * value))

    return SetResult(
        name=name,
        title={
            "drawings": "Drawing test lines",
            "old": "Drawing test lines of before",
            "generated": "Generated drawing lines",
            "general": "General lines",
        }[name],
        origin="made for this test",
        synthetic=name not in ("drawings", "old"),
        sha256="0" * 64,
        lines=lines,
        clusters=clusters if name in ("drawings", "old") else lines,
        cluster_unit="drawing" if name in ("drawings", "old") else "line",
        champion=scores(before),
        candidate=scores(after),
        exact_difference=Estimate(value=after - before, low=low, high=high),
        cer_difference=Estimate(value=before - after),
        p=0.01,
        outcomes={"kept": 1, "gained": gained, "lost": lost, "missed": 1},
        symbols=list(symbols),
        changed=[],
        worst=[],
    )


def symbol(text, *, lost, gained, p, count=100):
    kept = count - lost - gained
    return SymbolResult(
        symbol=text,
        count=count,
        champion_recall=(kept + lost) / count,
        candidate_recall=(kept + gained) / count,
        kept=kept,
        gained=gained,
        lost=lost,
        missed=0,
        p=p,
    )


def report(*sets):
    return EvaluationReport(
        candidate=ModelSummary(label="v1.1", sha256="a" * 64, classes=10),
        champion=ModelSummary(label="v1.0", sha256="b" * 64, classes=9),
        sets=list(sets),
    )


GOOD_DRAWINGS = result("drawings", 400, 0.62, 0.98, 0.30, 0.42, symbols=[symbol("⌀", lost=0, gained=98, p=1e-9)])
GOOD_GENERAL = result("general", 5000, 0.906, 0.904, -0.0035, -0.0005)


def test_the_reasons_stay_short_however_many_symbols_are_lost():
    """They are an output of a pipeline, and a Kubeflow backend takes 60 KB of text at most."""
    lost = [symbol(chr(0x4E00 + n), lost=40, gained=0, p=1e-6) for n in range(3000)]
    bad = result("drawings", 400, 0.98, 0.62, -0.42, -0.30, symbols=lost)
    verdict = load_gate("default").judge(report(bad, GOOD_GENERAL))
    assert "3,000 symbols lost" in words(verdict)
    assert len(json.dumps(verdict.to_dict()["reasons"])) < 6000


def words(verdict):
    return " | ".join(str(reason) for reason in verdict.reasons)


def test_a_better_candidate_passes_with_its_numbers_in_the_reasons():
    verdict = load_gate("default").judge(report(GOOD_DRAWINGS, GOOD_GENERAL))
    assert verdict.passed and not verdict.undecided
    assert all(ok for ok, _ in verdict.reasons)
    assert "62.0 % → 98.0 %" in words(verdict)
    assert "400 lines of 8 drawings" in words(verdict)
    assert "No symbol is lost" in words(verdict)


def test_a_candidate_that_forgets_general_text_fails():
    forgetful = result("general", 5000, 0.906, 0.880, -0.033, -0.019)
    verdict = load_gate("default").judge(report(GOOD_DRAWINGS, forgetful))
    assert not verdict.passed and not verdict.undecided
    failed = [text for ok, text in verdict.reasons if not ok]
    assert len(failed) == 1
    assert "-2.60 points" in failed[0] and "a loss of at most 0.5 points: missed" in failed[0]


def test_a_gain_on_new_drawings_does_not_hide_a_loss_on_those_of_before():
    forgets = result("old", 400, 0.99, 0.95, -0.06, -0.02, gained=0, lost=16)
    verdict = load_gate("default").judge(report(GOOD_DRAWINGS, forgets, GOOD_GENERAL))
    assert not verdict.passed and not verdict.undecided
    assert "Drawing test lines of before: 99.0 % → 95.0 %" in words(verdict) and "missed" in words(verdict)
    assert any("new_to_old" in step for step in verdict.next_steps)
    keeps = result("old", 400, 0.99, 0.992, -0.02, 0.03, gained=1, lost=0)
    assert load_gate("default").judge(report(GOOD_DRAWINGS, keeps, GOOD_GENERAL)).passed, "nothing is lost"
    open_case = result("old", 400, 0.99, 0.985, -0.02, 0.01, gained=1, lost=3)
    assert load_gate("default").judge(report(GOOD_DRAWINGS, open_case, GOOD_GENERAL)).undecided


def test_few_lines_of_drawings_of_before_are_left_to_the_other_rules_or_leave_it_undecided():
    few = result("old", 40, 0.99, 0.90, -0.2, 0.02, lost=4)
    verdict = load_gate("default").judge(report(GOOD_DRAWINGS, few, GOOD_GENERAL))
    assert verdict.passed and "40 lines of 8 drawings, 4 lost; the gate wants 300 of 2 drawings" in words(verdict)
    drawings = result("drawings", 400, 0.9, 0.99, 0.05, 0.12, symbols=GOOD_DRAWINGS.symbols)
    general = result("general", 5000, 0.906, 0.906, -0.0005, 0.0005)
    assert load_gate("strict").judge(report(drawings, general)).passed
    assert load_gate("strict").judge(report(drawings, few, general)).undecided


def test_a_symbol_of_a_line_of_before_is_counted_once():
    lost = [symbol("±", lost=20, gained=0, p=0.002)]
    drawings, old = (s.model_copy(update={"symbols": lost}) for s in (GOOD_DRAWINGS, result("old", 40, 1, 1, 0, 0)))
    assert words(load_gate("default").judge(report(drawings, old, GOOD_GENERAL))).count("1 symbol lost") == 1


def test_an_interval_across_the_limit_is_undecided_and_says_how_many_lines_would_decide():
    small = result("general", 1000, 0.906, 0.904, -0.008, 0.004)
    verdict = load_gate("default").judge(report(GOOD_DRAWINGS, small))
    assert not verdict.passed and verdict.undecided
    # standard error 0.6/1.96 points, 0.3 points from the limit: 1000 x (2.8016 x 0.3061/0.3)^2 - 1000 = 7,173
    assert "About 7,173 more lines" in words(verdict)
    assert words(verdict).count("? ") == 1


def test_a_lost_symbol_fails_by_name_unless_the_gate_allows_it(tmp_path):
    lost = [symbol("±", lost=20, gained=0, p=0.002), symbol("°", lost=3, gained=0, p=0.4)]
    drawings = GOOD_DRAWINGS.model_copy(update={"symbols": lost})
    verdict = load_gate("default").judge(report(drawings, GOOD_GENERAL))
    assert not verdict.passed
    assert "1 symbol lost: ± (100.0 % → 80.0 % of 100" in words(verdict)

    lenient = tmp_path / "lenient.yaml"
    lenient.write_text('symbols:\n  allowed: "±"\n', encoding="utf-8")
    assert load_gate(str(lenient)).judge(report(drawings)).passed


def test_without_labelled_lines_the_generated_ones_are_judged_and_the_reason_says_so():
    generated = result("generated", 500, 0.61, 0.97, 0.31, 0.41)
    verdict = load_gate("default").judge(report(generated, GOOD_GENERAL))
    assert verdict.reasons[0].ok is True
    assert "There are no labelled test lines" in verdict.reasons[0].text
    assert "Generated drawing lines: 61.0 % → 97.0 %" in verdict.reasons[0].text


def test_the_strict_gate_leaves_it_undecided_with_few_labelled_lines():
    few = result("drawings", 20, 0.5, 1.0, 0.3, 0.7)
    generated = result("generated", 500, 0.61, 0.97, 0.31, 0.41)
    verdict = load_gate("strict").judge(report(few, generated, GOOD_GENERAL))
    assert not verdict.passed
    assert "20 labelled test lines of 8 drawings, the gate wants 300 of 2 drawings" in words(verdict)


def test_a_candidate_that_changes_no_line_may_pass():
    same = result("drawings", 400, 1.0, 1.0, -0.0075, 0.0075, gained=0, lost=0)
    assert load_gate("default").judge(report(same, GOOD_GENERAL)).reasons[0].ok


def test_lines_of_a_single_test_drawing_decide_nothing_so_the_generated_ones_are_judged():
    one = result("drawings", 60, 0.5, 0.9, None, None, clusters=1)
    generated = result("generated", 500, 0.61, 0.97, 0.31, 0.41)
    verdict = load_gate("default").judge(report(one, generated, GOOD_GENERAL))
    assert verdict.reasons[0].ok is True
    assert "Only 60 labelled test lines of 1 drawing" in verdict.reasons[0].text


def test_a_model_that_is_good_already_need_not_gain():
    same = result("drawings", 2000, 0.99, 0.9895, -0.004, 0.003, symbols=GOOD_DRAWINGS.symbols)
    verdict = load_gate("default").judge(report(same, GOOD_GENERAL))
    assert verdict.passed and "a loss of at most 1 point:" in words(verdict)
    assert not load_gate("strict").judge(report(same, GOOD_GENERAL)).passed


def test_an_empty_evaluation_passes_no_gate():
    for name in list_gates():
        assert not load_gate(name).judge(report()).passed


def test_an_unknown_gate_names_the_nearest_one():
    with pytest.raises(NotFound, match="Did you mean 'default'"):
        load_gate("defualt")


def test_a_typo_in_a_gate_names_the_right_field(tmp_path):
    path = tmp_path / "门限.yaml"
    path.write_text("general:\n  max_loss_point: 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"general.max_loss_point.*Did you mean 'max_loss_points'"):
        load_gate(str(path))


def test_a_gate_that_is_not_yaml_is_refused(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("general: [", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not a gate"):
        load_gate(str(path))


def test_a_rejection_says_what_to_do_next():
    forgets = report(
        result("generated", 500, 0.9, 0.95, 0.02, 0.08),
        result("general", 5000, 0.90, 0.88, -0.03, -0.01, symbols=[symbol("é", lost=20, gained=0, p=0.001)]),
    )
    said = load_gate("default").judge(forgets).to_dict()["reasons"]
    (step,) = [text for text in said if text.startswith("→")]  # said once, though two rules failed
    assert "new_to_old=0.5" in step
    undecided = report(
        result("generated", 500, 0.9, 0.95, 0.02, 0.08), result("general", 5000, 0.90, 0.897, -0.009, 0.003)
    )
    said = load_gate("default").judge(undecided).to_dict()["reasons"]
    assert any(text.startswith("→") and "--set general_lines=" in text for text in said)
    passes = report(result("generated", 500, 0.9, 0.95, 0.02, 0.08), result("general", 5000, 0.9, 0.9, -0.001, 0.001))
    assert not any(text.startswith("→") for text in load_gate("default").judge(passes).to_dict()["reasons"])


def test_what_to_do_next_is_registered_with_the_reasons():
    verdict = Verdict(False, [], next_steps=("Add labelled drawings.",))
    assert read_verdict(verdict) == (False, ["→ Add labelled drawings."])


def test_a_symbol_read_worse_within_chance_is_named_with_the_places_that_would_decide():
    seen = symbol("⌓", lost=3, gained=1, p=0.6).model_copy(update={"more": 240})
    judged = report(
        result("generated", 500, 0.9, 0.95, 0.02, 0.08, symbols=[seen]),
        result("general", 5000, 0.9, 0.9, -0.001, 0.001),
    )
    verdict = load_gate("default").judge(judged)
    assert verdict.passed
    assert any("⌓" in reason.text and "240 more lines with it" in reason.text for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("passed", "reasons", "words"),
    [
        (True, ["✓ good"], "passes the gate “default”"),
        (False, ["✓ good", "? few", "→ more"], "is undecided at the gate “default”"),
        (False, ["? few", "✗ bad"], "does not pass the gate “default”"),
        (False, ["bad"], "does not pass the gate “default”"),
    ],
)
def test_a_verdict_is_worded_alike_everywhere(passed, reasons, words):
    from drawops.evaluation.verdicts import verdict_words

    assert verdict_words(passed, reasons, "default") == words
