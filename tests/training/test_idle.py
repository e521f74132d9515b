"""Pseudo-labels that are never used are told of."""

import logging

from crosstask.training.idle import PATIENCE, IdleLabels


def looked(caplog, *coverages, name="spaces/used/semantic/coverage", every=100):
    idle = IdleLabels()
    with caplog.at_level(logging.WARNING):
        for index, value in enumerate(coverages):
            idle.look(every * index, {name: value, "spaces/used/semantic/miou": 0.0})
    return [record.getMessage() for record in caplog.records]


def test_a_word_once_when_nothing_was_used_for_long(caplog):
    (told,) = looked(caplog, *[0.0] * 9)
    assert told.startswith("objectives.spaces: spaces/used/semantic/coverage was 0 for 300 iterations")
    assert PATIENCE == 300


def test_no_word_before_patience_is_over(caplog):
    assert not looked(caplog, 0.0, 0.0, 0.0)


def test_one_label_is_enough(caplog):
    assert not looked(caplog, 0.0, 0.0, 1e-6, 0.0, 0.0, 0.1, 0.0, 0.0)


def test_patience_begins_anew_after_the_last_label(caplog):
    (told,) = looked(caplog, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0)
    assert "was 0 for 300 iterations" in told


def test_nothing_unknown_is_no_lack_of_labels(caplog):
    assert not looked(caplog, *[float("nan")] * 9)


def test_other_measures_are_none_of_its_business(caplog):
    assert not looked(caplog, *[0.0] * 9, name="balancing/supervised/depth")
