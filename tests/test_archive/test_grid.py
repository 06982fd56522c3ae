"""Windows of tiles: every pixel is covered, nothing beyond the edge, metres on the ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.errors import ConfigError, DataError


def test_by_hand():
    layout = TileGrid(100, 50).layout((230, 100), None)
    assert layout == (100, 100, (0, 50, 100, 130), (0,))
    np.testing.assert_array_equal(layout.windows(1, 3), [(50, 0, 100, 100), (100, 0, 100, 100)])
    assert TileGrid(11).layout((22, 11), None).rows == (0, 6, 11)  # half a tile, rounded up
    assert TileGrid(100).layout((60, 300), None)[:3] == (60, 100, (0,))  # a scene smaller than a tile


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(8, 90), st.integers(1, 90))
def test_every_pixel_is_covered(height, width, tile, stride):
    stride = min(stride, tile)
    layout = TileGrid(tile, stride).layout((height, width), None)
    seen = np.zeros((height, width), int)
    for row, column, h, w in layout.windows(0, len(layout.rows)):
        assert row >= 0 and column >= 0 and row + h <= height and column + w <= width
        seen[row : row + h, column : column + w] += 1
    assert seen.min() >= 1
    assert len(set(layout.rows)) == len(layout.rows) and list(layout.rows) == sorted(layout.rows)
    assert all(b - a <= stride for a, b in zip(layout.rows, layout.rows[1:]))


def test_metres():
    """120 m are 240 pixels of 0.5 m down and 120 of 1 m across; a stride of half."""
    layout = TileGrid(metres=120.0).layout((1000, 600), (0.5, 1.0))
    assert (layout.height, layout.width) == (240, 120)
    assert layout.rows[:3] == (0, 120, 240) and layout.columns[:3] == (0, 60, 120)
    assert TileGrid(metres=120.0, stride_metres=120.0).layout((1000, 600), (0.5, 1.0)).columns == (
        0,
        120,
        240,
        360,
        480,
    )
    with pytest.raises(DataError, match='no georeference, so that metres say nothing'):
        TileGrid(metres=120.0).layout((1000, 600), None)
    with pytest.raises(DataError, match='its pixels of 30 m make a tile of 120 m smaller than 8 pixels'):
        TileGrid(metres=120.0).layout((1000, 600), (30.0, 30.0))


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (dict(), 'in pixels, or both in metres'),
        (dict(tile=10, metres=5.0), 'in pixels, or both in metres'),
        (dict(metres=5.0, stride=3), 'in pixels, or both in metres'),
        (dict(tile=7), 'tile must be a whole number of at least 8, got 7'),
        (dict(tile=10, stride=0), 'stride must be a whole number of at least 1, got 0'),
        (dict(tile=10, stride=11), 'a stride of 11 leaves gaps between tiles of 10'),
        (dict(metres=-1.0), 'metres must be a number above 0'),
        (dict(tile=10, max_nodata=1.5), 'max_nodata must be a number'),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ConfigError, match=message):
        TileGrid(**values)
