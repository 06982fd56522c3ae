"""Sources -> records of scenes: what is new, changed, unchanged, gone or cannot be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Iterable, Mapping

import numpy as np

from ..errors import DataError
from .grid import TileGrid
from .places import ground_sample_distance, to_lonlat
from .raster_file import open_raster
from .records import SceneRecord
from .remote import web_address
from .scene import PixelRule, find_limits
from .sources import Failure, Source, scene_id


@dataclass
class Plan:
    """What a build has to do.

    Attributes:
        records: of all scenes that were named and can be read, by id.
        new: ids of scenes that the archive did not have.
        changed: ids of scenes whose file, mask or grid differs from what the archive has.
        renamed: ids of scenes of which only date or attributes differ.
        failures: scenes that are left out; what the archive has of them stays.
        vanished: ids of scenes whose files are gone.
    """

    records: dict[str, SceneRecord] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)


def make_plan(
    sources: Iterable[Source],
    known: Mapping[str, SceneRecord],
    *,
    grid: TileGrid,
    rule: PixelRule,
) -> Plan:
    """Open what is new or has changed; what has not costs no more than a look at its signature.

    Args:
        sources: scenes to be held.
        known: records of the archive, by id.
        grid: of the archive.
        rule: of the archive.
    """
    plan = Plan()
    for source in sources:
        old = known.get(source.scene)
        try:
            if old is not None and old.fits(source):
                record = replace(old, datetime=source.datetime or old.tagged, attributes=dict(source.attributes))
                if record != old:
                    plan.renamed.append(record.scene)
            else:
                record = _look(source, grid, rule)
                (plan.new if old is None else plan.changed).append(record.scene)
            plan.records[record.scene] = record
        except DataError as error:
            plan.failures.append(Failure(source.address, str(error)))
    named = {*plan.records, *(scene_id(failure.address) for failure in plan.failures)}
    plan.vanished = [scene for scene, record in known.items() if scene not in named and _is_gone(record.source)]
    return plan


def _look(source: Source, grid: TileGrid, rule: PixelRule) -> SceneRecord:
    """Read what is needed of a scene before its tiles are."""
    with open_raster(source.address) as raster:
        place, gsd = raster.georeference(source.assume_crs), None
        if place is not None:
            gsd = ground_sample_distance(place, raster.shape)
            height, width = raster.shape
            corners = np.array([0, 0, width, width]), np.array([0, height, height, 0])
            to_lonlat(place, *corners)  # raises for coordinates that the CRS lacks
        return SceneRecord(
            scene=source.scene,
            source=source.address,
            signature=source.signature,
            shape=raster.shape,
            georeference=place,
            gsd=gsd,
            datetime=source.datetime or raster.datetime,
            tagged=raster.datetime,
            attributes=dict(source.attributes),
            mask=source.mask,
            limits=find_limits(raster, rule),
            layout=grid.layout(raster.shape, gsd),
        )


def _is_gone(address: str) -> bool:
    return not web_address(address) and not os.path.exists(address)
