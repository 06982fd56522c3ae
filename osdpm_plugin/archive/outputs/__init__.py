"""Hits of one or several queries -> a file, whose ending says what it is.

==========  ============================================================================================================
ending      content
==========  ============================================================================================================
.geojson    RFC 7946: footprints in WGS84, cut at the antimeridian, wound counterclockwise, each with its ``bbox``
.gpkg       GeoPackage with one layer ``hits`` and a default style by score, which QGIS applies
.parquet    GeoParquet 1.1 with a box of each hit
.csv        RFC 4180 in UTF-8; sides of the box in place of the footprint
.json       STAC 1.1 ItemCollection: one item a hit, with its scene as asset
.png        tiles cut from their scenes, one row a query
==========  ============================================================================================================

What they share:

- One row is one hit, in the order of queries and ranks, with the columns of `table_of`. Attributes of scenes have
  columns of their own, named ``attr_...`` where their name is taken. STAC names all of this ``osdpm:...``.
- Hits without georeference have a row and no geometry.
- Without hits a file is a valid one of its kind, with all columns and no row.
- A file is written whole or not at all; one that was there is replaced.

Read in this order: ``rows`` (hits -> table), ``frame`` (GeoDataFrame), the writers ``geojson``, ``stac``, ``rows_csv``,
``geoparquet``, ``geopackage`` with ``qgis_style``, ``picture``, and ``writing``, which chooses among them.
"""

from .writing import ENDINGS, check_output, write_hits

__all__ = ['ENDINGS', 'check_output', 'write_hits']
