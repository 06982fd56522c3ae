"""Statistics worked by hand, with a clock of the test."""

import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.benchmarks.timing import Pairs, min_median_max, rounds


def test_both_sides_take_turns_and_only_they_are_timed():
    """Ours takes 2, 4, 3 s, theirs 1, 2, 6 s; calls for warming up take 100 s that nobody sees."""
    now, called = [0.0], []

    def side(name, seconds):
        waiting = iter([100.0, *seconds])

        def call():
            called.append(name)
            now[0] += next(waiting)

        return call

    sides = side('ours', [2, 4, 3]), side('theirs', [1, 2, 6])
    pairs = Pairs(*rounds(sides, repeats=3, clock=lambda: now[0]))
    assert pairs == Pairs(ours=(2.0, 4.0, 3.0), theirs=(1.0, 2.0, 6.0))
    assert called == ['ours', 'theirs'] * 4
    assert pairs.time_ratio() == (0.5, 2.0, 2.0)
    assert pairs.speed_ratio() == (0.5, 0.5, 2.0)


def test_rounds_of_three():
    now, steps = [0.0], iter([9, 9, 9, 1, 2, 3, 4, 5, 6])

    def call():
        now[0] += next(steps)

    assert rounds([call] * 3, repeats=2, clock=lambda: now[0]) == [(1, 4), (2, 5), (3, 6)]


def test_spread():
    assert min_median_max([3.0, 1.0, 10.0]) == (1.0, 3.0, 10.0)
    assert min_median_max([4.0, 1.0]) == (1.0, 2.5, 4.0)
    with pytest.raises(ConfigError, match='repeats'):
        min_median_max([])


@pytest.mark.parametrize('options', [dict(repeats=0), dict(repeats=1, warm_up=-1)])
def test_nothing_to_measure(options):
    with pytest.raises(ConfigError, match='(repeats|warm_up) must be a whole number of at least'):
        rounds([lambda: None] * 2, **options)
