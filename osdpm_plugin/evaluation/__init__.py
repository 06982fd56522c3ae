"""Embeddings or scores with ids -> recall in percent, both ways, exact under ties.

Read in this order:

- ``exact_scores``: (N, D) image and (M, D) caption embeddings -> blocks of the (N, M) float32 score matrix, the same
  bits on every device and for every chunk size;
- ``pairwise_scores``: features of images and words -> the scores of a similarity that needs the pair;
- ``gallery_scores``: dot products or scores of pairs, behind one interface;
- ``ranking``: scores -> `RetrievalRanks`, for each query the counts that decide its rank (no sort, no (N, M) memory);
- ``recall``: counts -> R@K, median rank, Rsum, mR under a named rule for ties; their table;
- ``content_positives``: scores and texts -> counts where an identical caption of another image is a hit (secondary);
- ``reranking``: scores -> re-ranked scores, labelled transductive (secondary);
- ``records``: data samples with predictions -> `ImagePrediction`, merged by id into one `PredictedGallery`;
- ``image_text_recall``: `ImageTextRecall`, the registered metric that joins all of these;
- ``zero_shot``: embeddings of images with labels, and of a prompt for each class -> accuracy of images to classes;
- ``embedded_split``: predictions of a loop -> `EmbeddedSplit`, the embeddings of a split with ids, paths and captions.

Protocol: i2t, an image is a hit at K if any of its captions is among its first K of all M captions; t2i, a caption is a
hit at K if its own image is among its first K of all N images. Captions per image may differ in number. Ids decide
which caption belongs to which image, never the order.
"""

from .content_positives import content_ranks_from_embeddings, content_ranks_from_scores
from .embedded_split import EmbeddedSplit, EmbeddingCollector
from .exact_scores import score_matrix
from .image_text_recall import ImageTextRecall
from .pairwise_scores import PairScorer, score_pairs
from .ranking import QueryRanks, RetrievalRanks, ranks_from_embeddings, ranks_from_scores
from .recall import TIE_POLICIES, hit_probability, median_rank, recall_at, recall_table, summarise
from .reranking import dual_softmax, inverted_softmax, multivariate_rerank

__all__ = [
    'TIE_POLICIES',
    'EmbeddedSplit',
    'EmbeddingCollector',
    'ImageTextRecall',
    'PairScorer',
    'QueryRanks',
    'RetrievalRanks',
    'content_ranks_from_embeddings',
    'content_ranks_from_scores',
    'dual_softmax',
    'hit_probability',
    'inverted_softmax',
    'median_rank',
    'multivariate_rerank',
    'ranks_from_embeddings',
    'ranks_from_scores',
    'recall_at',
    'recall_table',
    'score_matrix',
    'score_pairs',
    'summarise',
]
