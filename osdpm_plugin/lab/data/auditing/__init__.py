"""Data sets -> duplicate captions and images, within and across their splits and sets.

Read in this order:

- ``sources``: ``TYPE:ROOT`` -> `AuditSet`, the records of a set with the splits that its data set class gives them;
- ``caption_counts``: captions -> counts of unique, shared and blank ones, and the overlap of two splits;
- ``ceiling``: captions -> the recall that repeated captions allow, under each rule for ties;
- ``image_hashes``: image files -> a 64-bit perceptual hash and a digest of the pixels;
- ``near_duplicates``: hashes -> pairs within a Hamming distance, nearest neighbours by split, clusters;
- ``exclusion``: duplicates -> lists of training images to leave out, for the ``exclude_list`` of a data set;
- ``audit``: all of these -> one dict; ``markdown``: the dict -> text.
"""

from .audit import audit
from .caption_counts import caption_overlap, count_captions
from .ceiling import ceiling, identical_text_ranks
from .exclusion import exclusions, write_exclude_lists
from .image_hashes import hash_images
from .markdown import to_markdown
from .near_duplicates import find_near_duplicates
from .sources import read_sets

__all__ = [
    'audit',
    'caption_overlap',
    'ceiling',
    'count_captions',
    'exclusions',
    'find_near_duplicates',
    'hash_images',
    'identical_text_ranks',
    'read_sets',
    'to_markdown',
    'write_exclude_lists',
]
