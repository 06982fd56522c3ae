"""Data samples with predictions -> records of all processes, merged by image id -> one gallery.

Samplers pad and repeat items and processes interleave them, so records are merged by image id alone; their order has no
meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import torch

from ..errors import MetricError
from .ranking import check_finite


class ImagePrediction(NamedTuple):
    """The predictions for one image and its K captions, in arrays that pickle compactly.

    Attributes:
        image_id: int.
        caption_ids: (K,) int64.
        image_embed: (D,) float32.
        text_embed: (K, D) float32.
        token_keys: (K,) int64, equal for equal tokens, or None where the data sample has no tokens.
        caption_keys: (K,) int64, equal for equal normalised texts, or None where the data sample has none.
        image_regions: (R, D) float32, or None where the model has none or does not score pairs.
        text_words: K arrays (words of the caption, D) float32, or None where the model does not score pairs.
    """

    image_id: int
    caption_ids: np.ndarray
    image_embed: np.ndarray
    text_embed: np.ndarray
    token_keys: Optional[np.ndarray] = None
    caption_keys: Optional[np.ndarray] = None
    image_regions: Optional[np.ndarray] = None
    text_words: Optional[list[np.ndarray]] = None


class PredictedGallery(NamedTuple):
    """N images and their M captions, sorted by id.

    Attributes:
        image_ids: (N,) int64, ascending.
        image_embed: (N, D) float32.
        caption_ids: (M,) int64, ascending.
        caption_image_ids: (M,) int64.
        text_embed: (M, D) float32.
        text_groups: (M,) int64, position of the caption whose features this one uses: the first with equal tokens.
        caption_keys: (M,) int64, equal for equal normalised texts, or None.
        image_regions: (N, R, D) float32, or None.
        text_words: M arrays (words of the caption, D) float32, or None where the model does not score pairs.
    """

    image_ids: np.ndarray
    image_embed: np.ndarray
    caption_ids: np.ndarray
    caption_image_ids: np.ndarray
    text_embed: np.ndarray
    text_groups: np.ndarray
    caption_keys: Optional[np.ndarray] = None
    image_regions: Optional[np.ndarray] = None
    text_words: Optional[list[np.ndarray]] = None


def record_of(sample: Mapping[str, Any]) -> ImagePrediction:
    """Read a data sample (see `RetrievalDataSample`) as a record; half precision is widened to float32.

    Args:
        sample: holds ``image_id``, ``caption_ids`` (K,), ``image_embed`` (D,), ``text_embed`` (K, D) and perhaps
            ``tokens`` (K, T) and ``caption_keys`` (K,); of a model that scores pairs ``text_words``, K arrays, and
            perhaps ``image_regions`` (R, D).

    Raises:
        MetricError: a key is absent, or shapes do not fit each other.
    """
    missing = [key for key in ('image_id', 'caption_ids', 'image_embed', 'text_embed') if sample.get(key) is None]
    if missing:
        raise MetricError(
            f'data sample {sample.get("image_id", "without id")} lacks {", ".join(missing)}: the '
            'data set gives the ids, `predict` of the model the embeddings'
        )
    image_id = int(sample['image_id'])
    captions = _array(sample['caption_ids'])
    image, texts = _array(sample['image_embed']), _array(sample['text_embed'])
    vectors = captions.ndim == image.ndim == 1 and captions.size > 0 and image.size > 0
    if not vectors or texts.shape != (len(captions), len(image)):
        raise MetricError(
            f'image id {image_id}: caption_ids {captions.shape}, image_embed {image.shape} and '
            f'text_embed {texts.shape} must be (K,), (D,) and (K, D) with K >= 1'
        )
    keys = None
    if sample.get('tokens') is not None:
        tokens = _array(sample['tokens'])
        if len(tokens) != len(captions):
            raise MetricError(f'image id {image_id}: {len(tokens)} rows of tokens for {len(captions)} captions')
        keys = np.array([_token_key(row) for row in tokens], dtype=np.int64)
    texts_of = None
    if sample.get('caption_keys') is not None:
        texts_of = _array(sample['caption_keys']).astype(np.int64)
        if texts_of.shape != captions.shape:
            raise MetricError(f'image id {image_id}: caption_keys {texts_of.shape} for {len(captions)} captions')
    regions, words = sample.get('image_regions'), sample.get('text_words')
    if words is not None and len(words) != len(captions):
        raise MetricError(f'image id {image_id}: text_words of {len(words)} captions for {len(captions)}')
    return ImagePrediction(
        image_id,
        captions.astype(np.int64),
        image.astype(np.float32),
        texts.astype(np.float32),
        keys,
        texts_of,
        None if regions is None else _array(regions).astype(np.float32),
        None if words is None else [_array(w).astype(np.float32) for w in words],
    )


def merge_records(records: Sequence[ImagePrediction], size: int, tolerance: float) -> list[ImagePrediction]:
    """One record per image, sorted by image id; of repeated ids the first record is kept.

    Args:
        records: of all processes, in any order.
        size: number of images that must be there.
        tolerance: largest distance of two embeddings of one id, as a share of their norm.

    Raises:
        MetricError: there are no records, ids are missing or too many, records of one id contradict each other,
            embeddings are not finite or of different widths, or two images share a caption id.
    """
    if not records:
        raise MetricError('no predictions arrived; is the test data set empty, or `predict` of the model?')
    widths = sorted({len(record.image_embed) for record in records})
    if len(widths) > 1:
        raise MetricError(f'embeddings of different widths arrived: {widths}')
    first: dict[int, ImagePrediction] = {}
    for record in records:
        if first.setdefault(record.image_id, record) is not record:
            _check_same(first[record.image_id], record, tolerance)
    if len(first) != size:
        remedy = (
            'use DefaultSampler(round_up=True) and drop_last=False'
            if len(first) < size
            else 'evaluate with the length of the data set that was predicted'
        )
        raise MetricError(
            f'{len(first)} of {size} image ids arrived in {len(records)} predictions; {remedy}, with one '
            'item per image and unique image ids'
        )
    merged = [first[image_id] for image_id in sorted(first)]
    check_finite(torch.from_numpy(np.stack([r.image_embed for r in merged])), [r.image_id for r in merged], 'image')
    check_finite(
        torch.from_numpy(np.concatenate([r.text_embed for r in merged])),
        np.concatenate([r.caption_ids for r in merged]),
        'caption',
    )
    return merged


def gallery_of(records: Sequence[ImagePrediction], tolerance: float) -> PredictedGallery:
    """Stack merged records, captions sorted by id; captions of equal tokens get one embedding.

    Rounding differs between batches of different shape, which breaks ties between equal captions at random. So captions
    of equal tokens take the embedding of the one with the lowest id, if theirs is within ``tolerance`` of it.

    Args:
        records: as `merge_records` returns them.
        tolerance: largest distance that counts as rounding, as a share of the norm. 0 leaves all embeddings alone.

    Raises:
        MetricError: two captions share an id.
    """
    captions = np.concatenate([record.caption_ids for record in records])
    owner = np.repeat([record.image_id for record in records], [len(record.caption_ids) for record in records])
    order = np.argsort(captions, kind='stable')
    captions, owner = captions[order], owner[order]
    repeated = np.flatnonzero(captions[1:] == captions[:-1])
    if len(repeated):
        i = repeated[0]
        raise MetricError(
            f'{len(repeated)} caption ids are used twice, the first is {captions[i]} of images '
            f'{owner[i]} and {owner[i + 1]}; number the captions of a data set throughout'
        )
    texts = np.concatenate([record.text_embed for record in records])[order]
    groups = np.arange(len(texts))
    keys = [record.token_keys for record in records if record.token_keys is not None]
    if len(keys) == len(records):
        _, lowest, group = np.unique(np.concatenate(keys)[order], return_index=True, return_inverse=True)
        shared = texts[lowest[group.reshape(-1)]]  # (M, D)
        close = _distance(shared, texts) <= tolerance * np.linalg.norm(shared.astype(np.float64), axis=1)
        texts = np.where(close[:, None], shared, texts)
        groups = np.where(close, lowest[group.reshape(-1)], groups)
    image_ids = np.array([record.image_id for record in records], dtype=np.int64)
    text_keys = [record.caption_keys for record in records if record.caption_keys is not None]
    caption_keys = np.concatenate(text_keys)[order] if len(text_keys) == len(records) else None
    images = np.stack([record.image_embed for record in records])
    regions, words = _pair_features(records, order)
    return PredictedGallery(image_ids, images, captions, owner, texts, groups, caption_keys, regions, words)


def _pair_features(
    records: Sequence[ImagePrediction], order: np.ndarray
) -> tuple[Optional[np.ndarray], Optional[list[np.ndarray]]]:
    """Regions (N, R, D) and words of M captions in ``order``, each None where no record has any."""
    regions = [record.image_regions for record in records if record.image_regions is not None]
    words = [w for record in records for w in record.text_words or ()]
    if len(regions) not in (0, len(records)) or len(words) not in (0, len(order)):
        raise MetricError(
            f'{len(regions)} of {len(records)} images came with regions and {len(words)} of {len(order)} captions with '
            'words; `predict` of the model must deliver them for all or for none'
        )
    shapes = sorted({r.shape for r in regions})
    if len(shapes) > 1:
        raise MetricError(f'regions of different shapes arrived: {shapes}; resize all test images to one size')
    return np.stack(regions) if regions else None, [words[i] for i in order] if words else None


def _check_same(one: ImagePrediction, two: ImagePrediction, tolerance: float) -> None:
    first, second = np.argsort(one.caption_ids), np.argsort(two.caption_ids)
    if not np.array_equal(one.caption_ids[first], two.caption_ids[second]):
        raise MetricError(
            f'two predictions of image id {one.image_id} have different captions, {len(first)} and '
            f'{len(second)} of them; image ids must be unique in the data set'
        )
    pairs = (
        (one.image_embed[None], two.image_embed[None], 'image'),
        (one.text_embed[first], two.text_embed[second], 'caption'),
    )
    for a, b, kind in pairs:
        norm = np.maximum(np.linalg.norm(a.astype(np.float64), axis=1), np.linalg.norm(b.astype(np.float64), axis=1))
        apart = _distance(a, b) > tolerance * norm  # false for NaN, which is reported later with a count
        if apart.any():
            raise MetricError(
                f'two predictions of image id {one.image_id} disagree: their {kind} embeddings differ '
                f'by more than {tolerance:g} of their norm; is the model in eval mode, and the test '
                'pipeline free of random steps?'
            )


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distance (R,) float64 of rows; rows of equal bits are at 0."""
    with np.errstate(invalid='ignore'):  # infinity minus infinity; reported later, with the number of such rows
        return np.linalg.norm(a.astype(np.float64) - b.astype(np.float64), axis=1)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    return np.asarray(value)


def _token_key(tokens: np.ndarray) -> int:
    """64-bit digest of a row of tokens without the zeros that pad it."""
    data = np.trim_zeros(tokens.astype(np.int64), 'b').tobytes()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), 'little', signed=True)
