"""Embeddings or scores with ids -> recall in percent, both ways, exact under ties.

Read in this order:

- ``exact_scores``: (N, D) image and (M, D) caption embeddings -> blocks of the (N, M) float32 score matrix, the same
  bits on every device and for every chunk size;
- ``ranking``: scores -> `RetrievalRanks`, for each query the counts that decide its rank (no sort, no (N, M) memory);
- ``recall``: counts -> R@K, median rank, Rsum, mR under a named rule for ties;
- ``records``: what one image leaves behind, and how records of all processes are brought together by id;
- ``image_text_recall``: `ImageTextRecall`, the registered metric that joins the four;
- ``table``: metrics -> the table that papers print.

Protocol: i2t, an image is a hit at K if any of its captions is among its first K of all M captions; t2i, a caption is a
hit at K if its own image is among its first K of all N images. Captions per image may differ in number. Ids decide what
belongs together; order never does.
"""

from .exact_scores import score_matrix
from .image_text_recall import ImageTextRecall
from .ranking import QueryRanks, RetrievalRanks, ranks_from_embeddings, ranks_from_scores
from .recall import TIE_POLICIES, hit_probability, median_rank, recall_at, summarise
from .table import recall_table

__all__ = [
    'TIE_POLICIES',
    'ImageTextRecall',
    'QueryRanks',
    'RetrievalRanks',
    'hit_probability',
    'median_rank',
    'ranks_from_embeddings',
    'ranks_from_scores',
    'recall_at',
    'recall_table',
    'score_matrix',
    'summarise',
]
