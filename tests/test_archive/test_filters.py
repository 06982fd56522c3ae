"""Values of filters; what they mean is tested with the stores, and what users write for dates here."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest

from osdpm_plugin.archive.filters import Filter, as_utc, in_scene, micros, touches
from osdpm_plugin.archive.moments import parse_moment
from osdpm_plugin.errors import ConfigError

UTC = dt.timezone.utc


@pytest.mark.parametrize(
    ('bounds', 'words'),
    [
        ((113, 23, 114, 22), 'the box 113 23 114 22 is upside down: south 23 is above north 22; swap them'),
        ((0, 0, 0, 91), 'is not in degrees of longitude'),
        ((500_000, 4_000_000, 500_100, 4_000_100), 'is not in degrees .* the order is west south east north'),
        ((22, -100, 23, -99), 'is not in degrees'),
        ((170, 0, 190, 1), 'is not in degrees'),
        ((0, 0, 1), 'a box is four numbers, west south east north in degrees; got 0 0 1'),
        ((0, 0, 1, math.nan), 'a box is four numbers'),
        ((0, 0, math.inf, 1), 'a box is four numbers'),
    ],
)
def test_boxes_that_are_none(bounds, words):
    with pytest.raises(ConfigError, match=words):
        Filter(bounds=bounds)


def test_intervals():
    early, late = dt.datetime(2024, 1, 1), dt.datetime(2024, 5, 1)
    with pytest.raises(
        ConfigError, match=r'the interval from 2024-05-01T00:00:00\+00:00 ends before it, at 2024-01-01'
    ):
        Filter(start=late, end=early)
    assert Filter(start=early, end=early).start == early.replace(tzinfo=UTC)
    zone = dt.timezone(dt.timedelta(hours=8))
    assert as_utc(dt.datetime(2024, 1, 1, 8, tzinfo=zone)) == dt.datetime(2024, 1, 1, tzinfo=UTC)
    assert micros(dt.datetime(1970, 1, 2, 0, 0, 1, 5)) == 86_401_000_005
    assert micros(dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)) == -1


def test_whether_every_row_passes():
    assert Filter().is_empty and Filter(attributes={}).is_empty
    assert not Filter(scenes=[]).is_empty and not Filter(end=dt.datetime(2024, 1, 1)).is_empty


def test_touching_counts():
    """Boxes that share an edge or a corner, and one that is a point; NaN never does."""
    others = np.array([[1, 0, 2, 1], [1, 1, 2, 2], [1.0001, 0, 2, 1], [0.5, 0.5, 0.5, 0.5], [np.nan] * 4]).T
    assert touches((0, 0, 1, 1), others).tolist() == [True, True, False, True, False]
    assert touches((0, 0, 0, 0), np.zeros((4, 1))).tolist() == [True]


def test_a_value_with_an_equals_sign():
    own = [['note=a=b'], ['note=a'], []]
    keep = in_scene(Filter(attributes={'note': ['a=b']}), scenes=['x', 'y', 'z'], times=np.zeros(3), attributes=own)
    assert keep.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ('text', 'first', 'last'),
    [
        ('2024', '2024-01-01T00:00:00', '2024-12-31T23:59:59.999999'),
        ('2024-02', '2024-02-01T00:00:00', '2024-02-29T23:59:59.999999'),
        ('2023-12', '2023-12-01T00:00:00', '2023-12-31T23:59:59.999999'),
        ('2024-02-29', '2024-02-29T00:00:00', '2024-02-29T23:59:59.999999'),
        ('9999', '9999-01-01T00:00:00', '9999-12-31T23:59:59.999999'),
        ('9999-12-31', '9999-12-31T00:00:00', '9999-12-31T23:59:59.999999'),
        ('2024-03-01T10:30', '2024-03-01T10:30:00', '2024-03-01T10:30:00'),
        ('2024-03-01T10:30:00Z', '2024-03-01T10:30:00', '2024-03-01T10:30:00'),
        ('2024-03-01T10:30+08:00', '2024-03-01T02:30:00', '2024-03-01T02:30:00'),
    ],
)
def test_dates(text, first, last):
    for want, found in ((first, parse_moment(text)), (last, parse_moment(text, last=True))):
        assert as_utc(found) == dt.datetime.fromisoformat(want).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    'text', ['', 'spring', '24', '2023-02-29', '2024-13', '01.03.2024', '2024-03-01T25:00', '0001-01-01T00:00+08:00']
)
def test_dates_that_are_none(text):
    with pytest.raises(ConfigError, match='is no date; write e.g. 2024-03-01 or 2024-03-01T10:30'):
        parse_moment(text)
