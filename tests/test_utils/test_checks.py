"""What is let through, and the one sentence for what is not."""

from __future__ import annotations

import math

import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.utils.checks import check_bool, check_int, check_number, check_one_of


def sentence(check, *args, **options) -> str:
    with pytest.raises(ConfigError) as error:
        check('Part', 'key', *args, **options)
    return str(error.value)


def test_what_is_right_comes_back():
    assert check_int('Part', 'key', 1) == 1
    assert check_int('Part', 'key', 8, least=0, most=8) == 8
    assert check_number('Part', 'key', 0.5, above=0, below=1) == 0.5
    assert check_number('Part', 'key', 0, least=0) == 0
    assert check_one_of('Part', 'key', 'b', ('a', 'b')) == 'b'
    assert check_one_of('Part', 'key', None, ('a', None)) is None
    assert check_bool('Part', 'key', False) is False


@pytest.mark.parametrize('value', [0, -1, 1.0, True, '3', None])
def test_whole_numbers(value):
    assert sentence(check_int, value) == f'Part: key must be a whole number of at least 1, got {value!r}'


def test_whole_numbers_between():
    want = 'Part: key must be a whole number from 1 to 8, got 9; take 8'
    assert sentence(check_int, 9, most=8, hint='take 8') == want


@pytest.mark.parametrize('value', [0, 1, -0.5, math.nan, math.inf, True, '0.5', None])
def test_numbers_between(value):
    want = f'Part: key must be a number above 0 and below 1, got {value!r}'
    assert sentence(check_number, value, above=0, below=1) == want


def test_numbers_without_limits_and_up_to_them():
    assert sentence(check_number, math.inf) == 'Part: key must be a finite number, got inf'
    want = 'Part: key must be a number of at least 0 and of at most 1, got 2'
    assert sentence(check_number, 2, least=0, most=1) == want


@pytest.mark.parametrize('value', [1, 0, 'yes', None])
def test_true_or_false(value):
    assert sentence(check_bool, value) == f'Part: key must be one of True, False, got {value!r}'


def test_choices_and_no_owner():
    assert sentence(check_one_of, 'c', ('a', 'b')) == "Part: key must be one of 'a', 'b', got 'c'"
    with pytest.raises(ConfigError, match="^--pooling must be one of 'a', got 1$"):
        check_one_of('', '--pooling', 1, ('a',))
