"""A trained retriever at work: words or images -> ranked images or texts.

Read in this order:

- ``shipped_configs``: a name -> the config of that name;
- ``inputs``: paths, folders, arrays, PIL images, texts -> checked lists;
- ``image_pipeline``: image -> what the model takes, by the config's test pipeline, and a digest of its content;
- ``prompts``: texts -> sentences that they are put into, and the mean of these;
- ``encoder``: texts, or a batch of images -> vectors, in the precision of the evaluation;
- ``fingerprint``, ``cache``: vectors on disk, by model and by content of the image;
- ``index``: many images -> `ImageIndex`, what is searched;
- ``query``: vectors of queries and of an index -> ranked `Match`es, by the scores of the evaluation;
- ``picture``: queries with matches -> a figure;
- ``inferencer``: `RetrievalInferencer`, the three questions, as mmengine's inferencer that joins them.
"""

from .cache import EmbeddingCache, default_cache_dir
from .index import ImageIndex, Skipped
from .inferencer import RetrievalInferencer
from .picture import draw_matches
from .query import Match
from .shipped_configs import find_config

__all__ = [
    'EmbeddingCache',
    'ImageIndex',
    'Match',
    'RetrievalInferencer',
    'Skipped',
    'default_cache_dir',
    'draw_matches',
    'find_config',
]
