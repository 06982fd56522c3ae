"""What rows a search may return, as values. Each store compiles them; `in_scene` and `touches` are what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Mapping, Optional, Sequence

import numpy as np

from ..errors import ConfigError

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Filter:
    """All conditions hold together; without any, every row passes.

    Attributes:
        bounds: west, south, east, north in degrees; a tile that touches the box passes; west > east crosses the
            antimeridian. Tiles without georeference never pass.
        start: first moment, included; rows without a date never pass.
        end: last moment, included.
        attributes: name -> values of which a scene has one.
        scenes: ids of scenes.
        tiles: ids of tiles.

    Raises:
        ConfigError: a box that is none, or an interval that ends before it begins.
    """

    bounds: Optional[Bounds] = None
    start: Optional[datetime] = None
    end: Optional[datetime] = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scenes: Optional[Sequence[str]] = None
    tiles: Optional[Sequence[str]] = None

    def __post_init__(self) -> None:
        if self.bounds is not None:
            check_bounds(self.bounds)
        for name in ('start', 'end'):
            moment = getattr(self, name)
            if moment is not None:
                object.__setattr__(self, name, as_utc(moment))
        if self.start and self.end and self.start > self.end:
            raise ConfigError(f'the interval from {self.start.isoformat()} ends before it, at {self.end.isoformat()}')

    @property
    def is_empty(self) -> bool:
        """Whether every row passes."""
        return self == EVERY


EVERY = Filter()


def check_bounds(bounds: Sequence[float]) -> None:
    """Raise ConfigError unless four numbers are west, south, east, north of a box."""
    values = np.asarray(bounds, np.float64)
    shown = ' '.join(f'{v:g}' for v in values)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ConfigError(f'a box is four numbers, west south east north in degrees; got {shown}')
    west, south, east, north = values
    if south > north:
        raise ConfigError(f'the box {shown} is upside down: south {south:g} is above north {north:g}; swap them')
    if max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > 180:
        raise ConfigError(
            f'the box {shown} is not in degrees of longitude (-180 to 180) and latitude (-90 to 90); the order is west '
            'south east north'
        )


def as_utc(moment: datetime) -> datetime:
    """A moment in UTC; one without a zone is taken to be in UTC."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    delta = as_utc(moment) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def in_scene(
    condition: Filter, *, scenes: Sequence[str], times: np.ndarray, attributes: Sequence[Sequence[str]]
) -> np.ndarray:
    """(N,) bool: which scenes, or tiles by what their scenes have, pass all but the box and the ids of tiles.

    Args:
        condition: the filter.
        scenes: N ids of scenes.
        times: (N,) int64 microseconds, of which the least number means no date.
        attributes: N lists of ``name=value``.
    """
    keep = np.ones(len(times), bool)
    if condition.start is not None or condition.end is not None:
        keep &= times != np.iinfo(np.int64).min
        if condition.start is not None:
            keep &= times >= micros(condition.start)
        if condition.end is not None:
            keep &= times <= micros(condition.end)
    for name, values in condition.attributes.items():
        wanted = {f'{name}={value}' for value in values}
        keep &= np.fromiter((not wanted.isdisjoint(own) for own in attributes), bool, len(keep))
    if condition.scenes is not None:
        chosen = set(condition.scenes)
        keep &= np.fromiter((scene in chosen for scene in scenes), bool, len(keep))
    return keep


def touches(box: Bounds, bounds: np.ndarray) -> np.ndarray:
    """(N,) bool: which boxes (4, N) share a point with one, all of which may cross the antimeridian; false for NaN."""
    west, south, east, north = box
    left, bottom, right, top = bounds
    overlap = (bottom <= north) & (top >= south)
    begins, ends = left <= east, right >= west
    crosses = left > right
    if west <= east:
        return overlap & np.where(crosses, begins | ends, begins & ends)
    return overlap & (crosses | begins | ends)
