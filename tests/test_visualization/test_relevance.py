"""Relevance by occlusion: worked by hand, and against a naive oracle."""

import numpy as np
import pytest
import torch

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.visualization import occlusion_relevance


def corners(images):
    """(B, 2): the pixels at the first and last corner."""
    return torch.stack([images[:, 0, 0, 0], images[:, 0, -1, -1]], dim=1)


def test_by_hand():
    image = torch.zeros(3, 4, 4)
    image[0, 0, 0], image[0, 3, 3] = 9.0, -7.0  # mean of the channel 2 / 16
    targets = torch.eye(2)
    first, last = 9 - 0.125, -7 - 0.125  # what the dot products lose where a corner is painted with the mean
    alone = occlusion_relevance(corners, image, targets, grid=4, window=1)
    want = np.zeros((2, 4, 4))
    want[0, 0, 0], want[1, 3, 3] = first, last
    np.testing.assert_allclose(alone, want)

    pairs = occlusion_relevance(corners, image, targets, grid=4, window=2)
    want = np.zeros((2, 4, 4))
    # one of nine windows covers a corner; its neighbours are covered by 2, the cell within by 4
    want[0, :2, :2] = first * np.array([[1, 1 / 2], [1 / 2, 1 / 4]])
    want[1, 2:, 2:] = last * np.array([[1 / 4, 1 / 2], [1 / 2, 1]])
    np.testing.assert_allclose(pairs, want)


def naive(embed, image, targets, grid, window):
    """One window after the other, one cell after the other."""
    height, width = image.shape[1:]
    rows, columns = ([round(edge * i / grid) for i in range(grid + 1)] for edge in (height, width))
    total, count = np.zeros((len(targets), grid, grid)), np.zeros((grid, grid))
    for i in range(grid - window + 1):
        for j in range(grid - window + 1):
            hidden = image.clone()
            for channel in range(3):
                hidden[channel, rows[i] : rows[i + window], columns[j] : columns[j + window]] = image[channel].mean()
            fall = targets @ embed(image[None])[0] - targets @ embed(hidden[None])[0]
            total[:, i : i + window, j : j + window] += fall.numpy()[:, None, None]
            count[i : i + window, j : j + window] += 1
    return total / count


@pytest.mark.parametrize(('grid', 'window', 'batch_size'), [(3, 1, 1), (4, 3, 2), (5, 2, 3), (5, 2, 100)])
def test_naive_oracle(grid, window, batch_size):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3 * 7 * 11, generator=draw, dtype=torch.float64)
    sizes = []

    def embed(images):
        sizes.append(len(images))
        return torch.nn.functional.normalize(torch.tanh(images.flatten(1) @ weight.T), dim=1)

    image = torch.randn(3, 7, 11, generator=draw, dtype=torch.float64)
    targets = torch.nn.functional.normalize(torch.randn(2, 4, generator=draw, dtype=torch.float64), dim=1)
    before = image.clone()
    found = occlusion_relevance(embed, image, targets, grid=grid, window=window, batch_size=batch_size)
    assert torch.equal(image, before) and max(sizes) <= batch_size
    assert sum(sizes) == 1 + (grid - window + 1) ** 2, 'each window once, none lost between batches'
    np.testing.assert_allclose(found, naive(embed, image, targets, grid, window), atol=1e-12)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(grid=2, window=2), 'window must be a whole number from 1 to 1, got 2; it must be smaller than the grid'),
        (dict(grid=3, window=0), 'window must be a whole number from 1 to 2, got 0'),
        (dict(grid=2.5, window=1), 'grid must be a whole number of at least 2, got 2.5'),
        (dict(grid=5, window=1), 'grid must be a whole number from 1 to 4, got 5; the shorter edge'),
        (dict(grid=3, window=1, batch_size=0), 'batch_size must be a whole number of at least 1, got 0'),
    ],
)
def test_numbers_out_of_range(options, words):
    with pytest.raises(ConfigError, match=words):
        occlusion_relevance(corners, torch.zeros(3, 4, 9), torch.eye(2), **options)
