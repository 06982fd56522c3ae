"""A convolutional tower of stages, run up to a cut and from there on."""

from __future__ import annotations

from typing import Any, Sequence

from torch import Tensor


def run_first_stages(x: Tensor, stages: Sequence[Any], outputs: Sequence[int]) -> tuple[Tensor, ...]:
    """Run the first stages of a tower.

    Args:
        x: (B, C, h, w), what comes before stage 0.
        stages: those to run.
        outputs: numbers of the stages whose maps the tower returns; later ones too.

    Returns:
        the maps of these stages, then the last map where it is not one of them.
    """
    maps = []
    for number, stage in enumerate(stages):
        x = stage(x)
        if number in outputs:
            maps.append(x)
    return tuple(maps if len(stages) - 1 in outputs else [*maps, x])


def run_last_stages(
    values: Sequence[Tensor], stages: Sequence[Any], outputs: Sequence[int], cut: int
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Go on with what `run_first_stages` returned for ``stages[:cut]`` -> the maps that the tower returns, and the
    last.
    """
    maps, x = list(values[: sum(number < cut for number in outputs)]), values[-1]
    for number, stage in enumerate(stages[cut:], start=cut):
        x = stage(x)
        if number in outputs:
            maps.append(x)
    return tuple(maps), x
