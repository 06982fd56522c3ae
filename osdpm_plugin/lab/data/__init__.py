"""Downloads and folders -> data sets in their official layout, verified and searched for duplicates.

- ``preparing``: archives and folders -> a set where its reader looks, verified;
- ``auditing``: sets -> captions and images that occur again within and across splits and sets;
- ``object_statistics``: captions -> how often each object category is named, and what is missed;
- ``region_detection``: images and a trained detector -> region files;
- ``archive_scenes``: a seed -> georeferenced scenes of procedural pictures, with the place of every object.
"""
