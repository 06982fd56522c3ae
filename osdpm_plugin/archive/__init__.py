"""Scenes of any size -> tiles -> stored embeddings -> places on a map.

Needs the extra ``archive``; nothing else of this package imports it. Read in this order:

- ``places``: pixels of a scene -> footprints, boxes and metres; ``grid``: a scene -> windows of its tiles;
- ``remote``: web addresses; ``raster_guards``: what a stranger's file may not do; ``raster_file``, ``scene``: a file or
  an address -> strips of 8-bit colours;
- ``sources``: files, folders, lists, STAC, addresses -> what is known of each scene before it is opened;
- ``records``, ``schema``, ``shards``, ``folder``: the files of an archive; ``maker``: what it was made by;
- ``planning``, ``tiles``, ``embedding``, ``building``: scenes -> shards;
- ``stores``, ``loading``: shards -> a store that is searched;
- ``filters``, ``questions``, ``hits``, ``archive``: a question -> ranked places;
- ``localisation``, ``localisation_map``, ``localisation_indicators``, ``localisation_outputs``: a question and one
  scene -> a map of how much each place is like what is asked;
- ``scene_names``, ``place_table``, ``regions``, ``evaluation``: known places -> how well they are found.
"""

from .archive import Archive
from .filters import Filter
from .hits import Hit, Hits
from .questions import Question

__all__ = ['Archive', 'Filter', 'Hit', 'Hits', 'Question']
