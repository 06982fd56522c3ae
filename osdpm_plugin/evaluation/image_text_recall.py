"""`ImageTextRecall`: predictions with ids, from any number of processes in any order -> recall both ways."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
from mmengine.dist import broadcast_object_list, collect_results, is_main_process
from mmengine.evaluator import BaseMetric

from ..errors import ConfigError, OSDPMError
from ..registry import METRICS
from ..utils.checks import check_bool, check_int, check_number, check_one_of
from ..utils.files import write_atomically, write_json
from .gallery_scores import GalleryScores
from .pairwise_scores import PairScorer
from .ranking import CHUNK_SIZE, RetrievalRanks, ranks_from_scores
from .recall import TIE_POLICIES, check_topk, hit_probability, summarise
from .records import ImagePrediction, PredictedGallery, gallery_of, merge_records, record_of
from .reranking import RERANKERS, check_rerank

Summary = dict[str, dict[str, float]]


@METRICS.register_module()
class ImageTextRecall(BaseMetric):
    """R@K of images to texts and texts to images, by dot products of embeddings or by the model's similarity of pairs.

    ::

        process (each rank)          evaluate (rank 0)
        data samples -> records ──>  all records -> one per image id, is each id there?
                                     -> exact counts -> recall under three rules for ties -> every rank

    It needs one item per image, each with all captions of the image, from mmengine's own ``ValLoop`` or ``TestLoop``
    with a ``DefaultSampler(shuffle=False, round_up=True)``. Repeated items are dropped by image id. The numbers are the
    same bits for any number of processes, order of items and chunk size.

    Metrics under ``prefix``: ``i2t_R@K``, ``t2i_R@K`` (percent), ``i2t_medr``, ``t2i_medr`` (rank from 1), ``Rsum``,
    ``mR`` by the rule ``ties``, and ``Rsum_<rule>`` for the two other rules. Save the best by
    ``save_best='retrieval/Rsum', rule='greater'``.

    Secondary numbers, each with its own prefix: ``content_...`` (`content_positives`) and ``transductive_<method>_...``
    (`reranking`), e.g. ``content_Rsum``. Names without a prefix always mean the primary numbers.

    Args:
        topk: the K of R@K.
        ties: 'expected', 'optimistic' or 'pessimistic', see `osdpm_plugin.evaluation.recall`.
        content_positives: return the ``content_...`` numbers too, for which identical captions (equal ``caption_keys``
            in the data samples) of other images count as hits. The files always have them.
        rerank: ``dict(method='dual_softmax', temperature=0.05)``, or another of `reranking.RERANKERS` with its options:
            return the ``transductive_<method>_...`` numbers too. None: no re-ranking.
        out_file: JSON with the numbers under all rules, written by rank 0.
        queries_file: npz with the hit probability of each query under ``ties``, written by rank 0; see
            `osdpm_plugin.lab.experiments.queries.QueryHits` for its arrays.
        scores_file: npz of ``scores`` (N, M) float32, ``image_ids`` (N,), ``caption_ids`` (M,), ``caption_image_ids``
            (M,) int64, sorted by id, written by rank 0. These are the scores that were ranked.
        tolerance: largest distance of two embeddings that count as the same, as a share of their norm: for an image
            that was predicted twice, and for captions of equal tokens, which then share one embedding.  # ours:
            bfloat16 rounding is smaller, the difference of different images is larger
        chunk_size: images and captions per block of scores; changes speed and memory, never a number. For a model that
            scores pairs: images on the device at a time.
        collect_device: 'cpu' (through files) or 'gpu', how records are sent to rank 0.
        collect_dir: folder shared by all ranks for ``collect_device='cpu'``; default ``.dist_test``.
        prefix: of the names of metrics; None means 'retrieval'.

    Attributes:
        scorer: the similarity of a model that scores pairs, set by `PairwiseScoringHook`; None for dot products.
        report: the content of ``out_file`` of the last evaluation, on rank 0; None if no file was asked for.

    Raises:
        ConfigError: a value does not fit.

    Example:
        >>> metric = ImageTextRecall(topk=(1,))
        >>> pool = dict(image_id=0, caption_ids=[0], image_embed=[1.0, 0.0], text_embed=[[0.8, 0.6]])
        >>> park = dict(image_id=1, caption_ids=[1], image_embed=[0.0, 1.0], text_embed=[[1.0, 0.0]])
        >>> metric.process(None, [pool, park])
        >>> numbers = metric.evaluate(size=2)
        >>> numbers['retrieval/i2t_R@1'], numbers['retrieval/t2i_R@1']
        (0.0, 50.0)
    """

    default_prefix = 'retrieval'

    def __init__(
        self,
        *,
        topk: Sequence[int] = (1, 5, 10),
        ties: str = 'expected',
        content_positives: bool = False,
        rerank: Optional[Mapping[str, Any]] = None,
        out_file: Optional[str] = None,
        queries_file: Optional[str] = None,
        scores_file: Optional[str] = None,
        tolerance: float = 1e-2,
        chunk_size: int = CHUNK_SIZE,
        collect_device: str = 'cpu',
        collect_dir: Optional[str] = None,
        prefix: Optional[str] = None,
    ) -> None:
        self.topk = check_topk(topk)
        owner = 'ImageTextRecall'
        check_one_of(owner, 'ties', ties, TIE_POLICIES)
        check_int(owner, 'chunk_size', chunk_size)
        check_number(owner, 'tolerance', tolerance, least=0, below=1, hint='it is a share of the norm, e.g. 0.01')
        check_one_of(owner, 'collect_device', collect_device, ('cpu', 'gpu'))
        check_bool(owner, 'content_positives', content_positives)
        if collect_dir is not None and collect_device != 'cpu':
            raise ConfigError(f"collect_dir={collect_dir!r} serves collect_device='cpu' only; leave it out")
        if prefix is not None and (not isinstance(prefix, str) or not prefix.strip() or prefix != prefix.strip('/ ')):
            raise ConfigError(f"prefix={prefix!r} must be a name such as 'retrieval', or None for that")
        for key, path in (('out_file', out_file), ('queries_file', queries_file), ('scores_file', scores_file)):
            if path is not None and (not isinstance(path, str) or not path):
                raise ConfigError(f'{key}={path!r} must be the path of a file, or None')
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.results: list[ImagePrediction] = []
        self.ties = ties
        self.content_positives = content_positives
        self.rerank = None if rerank is None else check_rerank(rerank)
        self.out_file = out_file
        self.queries_file = queries_file
        self.report: Optional[dict[str, Any]] = None
        self.scores_file = scores_file
        self.tolerance = tolerance
        self.chunk_size = chunk_size
        self.scorer: Optional[PairScorer] = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep ids and embeddings of a batch, on the CPU in float32.

        Args:
            data_samples: `RetrievalDataSample.to_dict()` of each image, completed by `predict`.

        Raises:
            MetricError: a sample is incomplete or its shapes do not fit each other.
        """
        self.results.extend(record_of(sample) for sample in data_samples)

    def evaluate(self, size: int) -> dict[str, float]:
        """Numbers of the whole data set, the same on every rank.

        An error on rank 0 is raised on every rank, so that no rank waits for ever.

        Raises:
            MetricError: predictions are missing, contradictory or not finite.
            ConfigError: a result file cannot be written.
        """
        error: Optional[Exception] = None
        outcome: list[Any] = [None]
        try:
            # No limit: BaseMetric cuts the gathered list to `size`, which may cut off images and keep repeated ones.
            records = collect_results(self.results, sys.maxsize, self.collect_device, self.collect_dir)
            if is_main_process():
                outcome = [self._compute(records, size)]
        except Exception as caught:  # sent to the other ranks first, raised below
            error = caught
            outcome = [caught if isinstance(caught, OSDPMError) else RuntimeError(str(caught))]
        finally:
            self.results.clear()
        broadcast_object_list(outcome)
        if error is not None:
            raise error
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return {f'{self.prefix}/{name}': value for name, value in outcome[0].items()}

    def names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns."""
        one = ranks_from_scores(np.ones((1, 1)), [0], [0])
        own = list(summarise(one, self.topk)[self.ties])
        others = [f'Rsum_{ties}' for ties in TIE_POLICIES if ties != self.ties]
        prefixes = ['content_'] if self.content_positives else []
        if self.rerank is not None:
            prefixes.append(f'transductive_{self.rerank[0]}_')
        return [f'{self.prefix}/{name}' for name in (*own, *others, *(p + name for p in prefixes for name in own))]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Numbers of the records of a complete data set, without prefix.

        Args:
            results: list of `ImagePrediction`; repeated image ids are dropped.

        Raises:
            MetricError: see `evaluate`.
            ConfigError: a result file cannot be written.
        """
        return self._compute(results, len({record.image_id for record in results}))

    def _compute(self, records: Sequence[ImagePrediction], size: int) -> dict[str, float]:
        gallery = gallery_of(merge_records(records, size, self.tolerance), self.tolerance)
        scores = GalleryScores(gallery, self.scorer, self.chunk_size)
        ranks = scores.ranks()
        summary = summarise(ranks, self.topk)
        wants_files = self.out_file is not None or self.queries_file is not None
        content = self._content(gallery, scores) if self.content_positives or wants_files else None
        if self.content_positives and content is None:
            raise ConfigError(
                'content_positives=True needs caption_keys in the data samples; end the pipeline with '
                'PackRetrievalInputs, or set it to False'
            )
        reranked = self._rerank(gallery, scores)
        self.report = self._report(ranks, summary, content, reranked) if wants_files else None
        if self.out_file is not None:
            write_json(self.out_file, self.report, 'out_file')
        if self.queries_file is not None:
            write_atomically(self.queries_file, lambda file: self._save_queries(file, gallery, ranks), 'queries_file')
        if self.scores_file is not None:
            matrix = dict(scores=scores.matrix(), **_ids(gallery))
            write_atomically(self.scores_file, lambda file: np.savez(file, **matrix), 'scores_file')
        others = {f'Rsum_{ties}': summary[ties]['Rsum'] for ties in TIE_POLICIES if ties != self.ties}
        secondary = [part[self.ties] for part in (content if self.content_positives else None, reranked) if part]
        return {**summary[self.ties], **others, **{name: value for part in secondary for name, value in part.items()}}

    def _content(self, gallery: PredictedGallery, scores: GalleryScores) -> Optional[Summary]:
        """Numbers with relevance by content, or None if texts have no keys."""
        if gallery.caption_keys is None:
            return None
        return _prefixed('content_', summarise(scores.content_ranks(gallery.caption_keys), self.topk))

    def _rerank(self, gallery: PredictedGallery, scores: GalleryScores) -> Optional[Summary]:
        """Numbers of re-ranked scores, or None without re-ranking."""
        if self.rerank is None:
            return None
        method, options = self.rerank
        both = RERANKERS[method](scores.matrix(), **options)
        i2t, t2i = (ranks_from_scores(way, gallery.image_ids, gallery.caption_image_ids) for way in both)
        return _prefixed(f'transductive_{method}_', summarise(RetrievalRanks(i2t.i2t, t2i.t2i), self.topk))

    def _report(
        self, ranks: RetrievalRanks, summary: Summary, content: Optional[Summary], reranked: Optional[Summary]
    ) -> dict[str, Any]:
        return {
            'images': len(ranks.i2t.above),
            'captions': len(ranks.t2i.above),
            'topk': list(self.topk),
            'ties': self.ties,
            'queries_tied_with_negatives': {w: int((r.tied > r.pos).sum()) for w, r in ranks._asdict().items()},
            'metrics': summary,
            'content_metrics': content,
            'transductive_metrics': reranked,
        }

    def _save_queries(self, file: Any, gallery: PredictedGallery, ranks: RetrievalRanks) -> None:
        i2t, t2i = (
            np.stack([hit_probability(part, k, self.ties).numpy() for k in self.topk], axis=1).astype(np.float32)
            for part in ranks
        )
        ties, topk = np.array(self.ties), np.array(self.topk)
        np.savez_compressed(file, ties=ties, topk=topk, **_ids(gallery), i2t_hits=i2t, t2i_hits=t2i)


def _prefixed(prefix: str, summary: Summary) -> Summary:
    return {ties: {prefix + name: value for name, value in values.items()} for ties, values in summary.items()}


def _ids(gallery: PredictedGallery) -> dict[str, Any]:
    return {key: getattr(gallery, key) for key in ('image_ids', 'caption_ids', 'caption_image_ids')}
