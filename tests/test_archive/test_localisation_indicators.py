"""Indicators of semantic localisation: cases by hand, and sums over single pixels."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.archive.localisation_indicators import (
    attention_centres,
    attention_shift,
    coverage,
    discrete_attention,
    indicators,
    significant_area,
)
from osdpm_plugin.errors import DataError

CELL = (10, 10)


def box(row, column, height, width):
    """Corners of a box, column and row."""
    right, bottom = column + width, row + height
    return np.array([[column, row], [right, row], [right, bottom], [column, bottom]], float)


def test_map_that_is_the_region():
    heat = np.zeros((20, 20))
    heat[4:8, 10:14] = 1
    assert indicators(heat, [box(40, 100, 40, 40)], CELL) == pytest.approx((1, 0, 1, 1))


def test_map_that_is_everything_else():
    heat = np.ones((20, 20))
    heat[:4, :4] = 0
    assert indicators(heat, [box(0, 0, 40, 40)], CELL) == pytest.approx((0, 1, 0, 0))


def test_map_that_is_the_same_everywhere():
    area = 1 - np.exp(-0.707)
    middle, corner = box(80, 80, 40, 40), box(0, 0, 40, 40)
    want = (area, 0, 1, 0.4 * area + 0.35 + 0.25)
    assert indicators(np.full((20, 20), 0.5), [middle], CELL) == pytest.approx(want, abs=1e-6)
    want = (area, 1, 0, 0.4 * area)
    assert indicators(np.full((20, 20), 0.5), [corner], CELL) == pytest.approx(want, abs=1e-6)
    shift = (np.exp(1.5) - 1) / (np.exp(3) - 1)  # of one region that is met and one that is missed
    assert indicators(np.full((20, 20), 0.5), [middle, corner], CELL)[1:3] == pytest.approx((shift, 0.5), abs=1e-6)
    assert indicators(np.zeros((20, 20)), [middle], CELL) == pytest.approx((0, 1, 0, 0))


def test_two_centres_of_attention():
    region = box(0, 0, 40, 40)  # its radius is 1.5 x 28.28 = 42.43
    centres = np.array([[20.0, 20.0], [40.0, 20.0], [200.0, 20.0]])
    share = 10 / (1.5 * np.hypot(20, 20))  # mean distance from the middle, and likewise from their own middle
    assert attention_shift(centres, [region]) == pytest.approx((np.exp(3 * share) - 1) / (np.exp(3) - 1))
    assert discrete_attention(centres, [region]) == pytest.approx(0.5 * (1 - share) + np.exp(-2))
    assert discrete_attention(centres, [region, box(0, 180, 40, 40)]) == pytest.approx(
        (0.5 * (1 - share) + np.exp(-2) + 1) / 2
    )
    assert attention_shift(centres[:0], [region]) == 1 and discrete_attention(centres[:0], [region]) == 0


def test_centres_of_attention():
    heat = np.zeros((20, 60))  # 1000 x 3000 pixels
    heat[10, 5], heat[3, 30], heat[12, 33], heat[15, 58] = 1, 0.9, 0.8, 0.4
    found = attention_centres(heat, (50, 50))
    want = [
        [30.5 * 50, 3.5 * 50],
        [5.5 * 50, 10.5 * 50],
    ]  # the third lies near the second, the fourth is below one half
    np.testing.assert_allclose(found, want)
    heat = np.full((3, 3), np.nan)
    assert attention_centres(heat, (50, 50)).shape == (0, 2)


def test_areas_against_single_pixels():
    rng = np.random.default_rng(0)
    heat = rng.random((6, 8))
    regions = [box(3, 5, 14, 21), box(10, 20, 9, 13)]  # which overlap, and cut cells of 5 x 7 pixels
    mask = np.zeros((30, 56), bool)
    mask[3:17, 5:26] = mask[10:19, 20:33] = True
    pixels = np.kron(heat, np.ones((5, 7)))
    share = coverage(heat.shape, regions, (5, 7))
    np.testing.assert_allclose(share, mask.reshape(6, 5, 8, 7).mean((1, 3)), atol=1e-12)
    ratio = pixels[mask].sum() / pixels[~mask].sum() * (~mask).sum() / mask.sum()
    assert significant_area(heat, share) == pytest.approx(1 - np.exp(-0.707 * ratio), rel=1e-6)
    heat[3:, :] = np.nan
    known = np.isfinite(np.kron(heat, np.ones((5, 7))))
    within, without = pixels[mask & known], pixels[~mask & known]
    ratio = within.mean() / without.mean()
    assert significant_area(heat, share) == pytest.approx(1 - np.exp(-0.707 * ratio), rel=1e-6)


def test_region_of_any_shape():
    triangle = np.array([[0, 0], [20, 0], [0, 20]], float)
    np.testing.assert_allclose(coverage((2, 2), [triangle], CELL), [[1, 0.5], [0.5, 0]])
    crossing = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], float)  # two triangles of a quarter of the cell each
    np.testing.assert_allclose(coverage((1, 1), [crossing], CELL), [[0.5]])


@pytest.mark.parametrize('regions', [[], [box(500, 500, 10, 10)]])
def test_no_region_on_the_map(regions):
    with pytest.raises(DataError, match='none of the regions lies on'):
        indicators(np.ones((4, 4)), regions, CELL)
