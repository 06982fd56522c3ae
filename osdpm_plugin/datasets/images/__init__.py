"""Image files -> (H, W, C) bands as they are stored -> the three 8-bit bands that a tower sees.

- ``image_files``, ``tiff_files``: bytes -> bands;
- ``band_stretch``: bands of any number and depth -> three of 8 bits;
- ``region_files``: npz files -> the objects that a detector found in an image.
"""
