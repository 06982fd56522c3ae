"""(N, D) x (M, D) embeddings -> float32 dot products whose bits depend only on the two rows.

Why: ties decide recall on data sets that repeat captions, and a tie is an equality of bits. A plain matrix product
picks kernels and orders of summation by shape, position and device, so that equal captions can get unequal scores,
which also change with the chunk size.

How: each row is written in fixed point, as ``digits * 2**exponent`` with digits on the grid of 2**-26 and a norm of at
most about 1.2. A product of two digits lies on the grid of 2**-52, and by Cauchy-Schwarz every partial sum of a dot
product, in whatever order, is at most 1.45 < 2 in magnitude: it fits float64 exactly. No addition rounds, so order,
blocking, fused multiply-add and device cannot matter. The last step is one rounding to float32.

Cost in accuracy: 2**-27 of a row's norm per component, about 1e-8 of the norms per score, below the rounding of
the float32 score itself. Time is that of a float64 matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import MetricError

GRID_BITS = 26
FLOAT32_EXPONENT = 127
ROWS = 512  # written in fixed point at a time: intermediate values stay in the processor's cache


class FixedPoint(NamedTuple):
    """Rows in fixed point: ``digits * 2**exponent[:, None]``.

    Attributes:
        digits: (R, D) float64, integer multiples of 2**-26, row norms at most about 1.2.
        exponent: (R,) int64.
    """

    digits: Tensor
    exponent: Tensor


def _power_of_two(exponent: Tensor) -> Tensor:
    """2**exponent as float64, built from its bits since ``pow`` need not be exact; exponents are held to +-1022."""
    return ((exponent.clamp(-1022, 1022) + 1023) << 52).view(torch.float64)


def to_fixed_point(rows: Tensor) -> FixedPoint:
    """Write each row in fixed point; every step is exact or correctly rounded, hence the same on every device.

    The exponent comes from the row's norm, summed in integers. Its thresholds lie at 1.2 * 2**e, far from the norm 1.

    Args:
        rows: (R, D) finite, any floating dtype.
    """
    parts = [_to_fixed_point(part.to(torch.float64)) for part in rows.detach().split(ROWS)]
    return FixedPoint(torch.cat([part.digits for part in parts]), torch.cat([part.exponent for part in parts]))


def _to_fixed_point(rows: Tensor) -> FixedPoint:
    peak = rows.abs().amax(dim=1)
    peak_exponent = torch.frexp(peak)[1].to(torch.int64)  # peak < 2**peak_exponent
    bits = (62 - rows.shape[1].bit_length()) // 2
    unit = (rows * _power_of_two(bits - peak_exponent)[:, None]).round().to(torch.int64)
    square = unit.square().sum(dim=1).to(torch.float64) * 0.25**bits  # squared norm in units of 4**peak_exponent
    square_exponent = torch.frexp(square / 1.44)[1].to(torch.int64)
    exponent = peak_exponent + torch.div(square_exponent + 1, 2, rounding_mode='floor')  # norm <= 1.2 * 2**exponent
    exponent = torch.where(peak > 0, exponent, torch.zeros_like(exponent))
    digits = (rows * _power_of_two(GRID_BITS - exponent)[:, None]).round() * 2.0**-GRID_BITS
    return FixedPoint(digits, exponent)


def chunks(total: int, size: int) -> Iterator[slice]:
    """Slices that cover range(total) in steps of ``size``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


class ExactScores:
    """Blocks of the (N, M) score matrix of two sets of embeddings, on the device of the image embeddings.

    Args:
        image_embed: (N, D) finite, any floating dtype.
        text_embed: (M, D) finite, any floating dtype.

    Raises:
        MetricError: a score could exceed the range of float32.
    """

    def __init__(self, image_embed: Tensor, text_embed: Tensor) -> None:
        self._images = to_fixed_point(image_embed)
        self._texts = to_fixed_point(text_embed.to(image_embed.device))
        largest = int(self._images.exponent.max() + self._texts.exponent.max())
        if largest >= FLOAT32_EXPONENT:
            raise MetricError(f'scores reach 2**{largest} and overflow float32; L2-normalise the embeddings')
        self._scaled = bool(self._images.exponent.any()) or bool(self._texts.exponent.any())

    def block(self, images: slice, texts: slice) -> Tensor:
        """Scores (n, m) float32 of a range of images against a range of captions."""
        scores = self._images.digits[images] @ self._texts.digits[texts].mT
        if self._scaled:
            scores *= _power_of_two(self._images.exponent[images])[:, None]
            scores *= _power_of_two(self._texts.exponent[texts])
        return scores.float()

    def pairs(self, images: Tensor, chunk_size: int) -> Tensor:
        """Scores (M,) float32 of caption m with image ``images[m]``: the same bits as in `block`.

        Args:
            images: (M,) int64, positions of images.
            chunk_size: pairs computed at a time.
        """
        parts = []
        for part in chunks(len(images), chunk_size):
            own = images[part]
            scores = (self._images.digits[own] * self._texts.digits[part]).sum(dim=1)
            parts.append((scores * _power_of_two(self._images.exponent[own] + self._texts.exponent[part])).float())
        return torch.cat(parts)


@torch.no_grad()
def score_matrix(image_embed: Tensor, text_embed: Tensor, *, chunk_size: int = 2048) -> Tensor:
    """The whole score matrix (N, M) float32 on the CPU, bit for bit what `ranks_from_embeddings` ranks.

    Args:
        image_embed: (N, D) finite.
        text_embed: (M, D) finite.
    """
    scores = ExactScores(image_embed, text_embed)
    matrix = torch.empty(len(image_embed), len(text_embed), dtype=torch.float32)
    for rows in chunks(len(image_embed), chunk_size):
        for cols in chunks(len(text_embed), chunk_size):
            matrix[rows, cols] = scores.block(rows, cols).cpu()
    return matrix
