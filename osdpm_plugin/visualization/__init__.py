"""Images, captions and ranked answers -> matplotlib figures; what is shown is computed apart from how it is drawn.

- ``answers``: embeddings with ids -> queries with their ranked answers, right or wrong by id (no drawing);
- ``gallery``: queries with answers -> a picture, text to image above, image to text below (no model);
- ``contact_sheet``: a data set -> a grid of images with captions;
- ``images``: how image files are read, by the loader of the config's pipeline, and cut to tiles;
- ``page``: what both draw on, a page measured in pixels, by matplotlib's object interface (no global state).

Colour is never the only cue: right answers also carry a check mark, wrong ones a cross.
"""

from .answers import Answer, Query, Retrieval, Retrievals, retrieve
from .contact_sheet import Example, draw_contact_sheet, pick_examples
from .gallery import draw_gallery
from .images import reader_of
from .page import check_png, save_figure

__all__ = [
    'Answer',
    'Example',
    'Query',
    'Retrieval',
    'Retrievals',
    'check_png',
    'draw_contact_sheet',
    'draw_gallery',
    'pick_examples',
    'reader_of',
    'retrieve',
    'save_figure',
]
