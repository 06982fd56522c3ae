"""Seed -> georeferenced scenes, each a mosaic of procedural pictures, with the true place of every picture and object.

Needs the extra ``archive``.

- ``places``: where on Earth the scenes lie, when they were taken and how their files are made;
- ``mosaic``: procedural pictures -> the pixels of a scene;
- ``four_bands``: these pixels -> 16-bit reflectance with a near infrared and a border of no data;
- ``files``: pixels -> GeoTIFF, COG or JPEG;
- ``questions``: sentences that are true of all pictures of a kind and of no other;
- ``write``: the public function.
"""

from .write import write_archive_scenes

__all__ = ['write_archive_scenes']
