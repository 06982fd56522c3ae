"""Image files -> (H, W, C) bands as they are stored -> the three 8-bit bands that a tower sees.

- ``raster``: what a file holds: bands, and where they are without data;
- ``image_files``, ``tiff_files``: bytes -> raster; ``deep_files``, ``tiff_tags``: what their headers say;
- ``band_stretch``: bands of any number and depth -> three of 8 bits;
- ``region_files``: npz files -> the objects that a detector found in an image.
"""
