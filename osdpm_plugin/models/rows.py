"""Rows of tensors: the first row of each different key, and chosen rows of all tensors of a tuple."""

from __future__ import annotations

from typing import Any, Union

import torch
from torch import Tensor


def first_of_each(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Where each key occurs first.

    Args:
        keys: (M,) int64.

    Returns:
        rows: (U,) int64, the first row of each different key, in the order of the keys.
        place: (M,) int64, for every row the place of its key among these.
    """
    different, place = keys.unique(return_inverse=True)
    rows = torch.arange(len(keys), device=keys.device)
    return torch.full_like(different, len(keys)).scatter_reduce(0, place, rows, 'amin'), place


def take_rows(inputs: Any, rows: Union[slice, Tensor]) -> Any:
    """Rows of a tensor, or of all tensors in (named) tuples; Nones stay.

    Args:
        inputs: a tensor, or (named) tuples of tensors and Nones, with N rows each.
        rows: a slice, or indices (n,) int64.
    """
    if inputs is None or isinstance(inputs, Tensor):
        return None if inputs is None else inputs[rows]
    parts = [take_rows(value, rows) for value in inputs]
    return type(inputs)(*parts) if hasattr(inputs, '_fields') else tuple(parts)
