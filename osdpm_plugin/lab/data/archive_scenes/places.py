"""Scene -> its name, its place on Earth, its date and the layout of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affine import Affine
from rasterio.transform import from_origin, xy
from rasterio.warp import transform


@dataclass(frozen=True)
class Place:
    """Where and when a scene was taken, and how its file is made.

    Attributes:
        name: begins the name of the file.
        crs: of the file; '' for none.
        lon: degrees east of the centre; without meaning if there is no ``crs``.
        lat: degrees north of the centre.
        pixel: edge of a pixel in units of ``crs``; about 0.5 m on the ground.
        ground: surface between the pictures, of `datasets.scenes.palette.SURFACES`.
        layout: how the file is made, see `files.write_scene`.
        time: of acquisition, as ISO 8601.
        dated: what states the time: the TIFF ``tag``, the ``name`` of the file (the day alone) or the ``table``.
        sensor: stands in the table.
    """

    name: str
    crs: str
    lon: float
    lat: float
    pixel: float
    ground: str
    layout: str
    time: str
    dated: str
    sensor: str

    @property
    def file(self) -> str:
        """Name of the file."""
        day = '_' + self.time[:10].replace('-', '') if self.dated == 'name' else ''
        return f'{self.name}{day}{".jpg" if self.layout == "photo" else ".tif"}'

    def grid(self, size: int) -> Affine:
        """Pixels (column, row) of a scene of ``size`` pixels a side -> units of the CRS; its corners lie on a grid."""
        (x,), (y,) = transform('EPSG:4326', self.crs, [self.lon], [self.lat])
        west, north = (
            round(at / self.pixel) * self.pixel for at in (x - size / 2 * self.pixel, y + size / 2 * self.pixel)
        )
        return from_origin(west, north, self.pixel, self.pixel)

    def lon_lat(self, size: int, rows: Sequence[float], cols: Sequence[float]) -> list[tuple[str, str]]:
        """Points in pixels -> degrees, -180 to 180 and -90 to 90, as text; two empty ones without ``crs``."""
        if not self.crs or not rows:
            return [('', '')] * len(rows)
        lons, lats = transform(self.crs, 'EPSG:4326', *xy(self.grid(size), rows, cols, offset='ul'))
        return [(f'{lon:.8f}', f'{lat:.8f}') for lon, lat in zip(lons, lats)]


# What is special comes first, so that few scenes have it too.
PLACES = (
    Place('rotterdam', 'EPSG:32631', 4.05, 51.95, 0.5, 'grass', 'deflate', '2024-03-09T10:52:11', 'tag', 'GF-2'),
    Place('taveuni', 'EPSG:32760', 180.0, -16.85, 0.5, 'soil', 'deflate', '2024-05-17T22:31:40', 'name', 'SV-1'),
    Place('po_valley', 'EPSG:32632', 10.4, 45.1, 0.5, 'soil', 'four_bands', '2023-06-21T10:20:05', 'table', 'GF-2'),
    Place('photograph', '', 0.0, 0.0, 0.5, 'grass', 'photo', '2022-09-11T09:00:00', 'table', 'aerial camera'),
    Place('tokyo', 'EPSG:32654', 139.8, 35.6, 0.5, 'concrete', 'cog', '2024-11-02T01:35:29', 'tag', 'WV-3'),
    Place('singapore', 'EPSG:4326', 103.85, 1.35, 4.5e-6, 'grass', 'jpeg', '2023-12-30T03:28:00', 'name', 'SV-1'),
    Place('long_beach', 'EPSG:3857', -118.2, 33.78, 0.6, 'sand', 'jpeg', '2024-07-04T18:40:52', 'tag', 'WV-3'),
    Place('sydney', 'EPSG:32756', 151.2, -33.9, 0.5, 'grass', 'jpeg', '2023-01-26T00:12:33', 'table', 'GF-2'),
    Place('nairobi', 'EPSG:32737', 36.9, -1.3, 0.5, 'soil', 'deflate', '2024-08-15T08:05:18', 'name', 'WV-3'),
    Place('santos', 'EPSG:32723', -46.3, -23.95, 0.5, 'sand', 'jpeg', '2023-10-08T13:22:47', 'tag', 'SV-1'),
)
