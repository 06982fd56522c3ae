"""A retriever that learns from a trained one."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from torch import Tensor

from ....errors import ConfigError
from ....registry import MODELS
from ....structures import ImageFeatures, PartialImages, RetrievalDataSample
from ...retrievers.image_text_retriever import Images, ImageTextRetriever
from .distillation import Encoding
from .teacher import Teacher

_DEFAULT_SUPERVISION = dict(type='HiddenSupervisionLoss')


@MODELS.register_module()
class DistilledRetriever(ImageTextRetriever):
    """`ImageTextRetriever` with further losses that a teacher gives: any trained retriever of this plugin.

    The teacher is loaded when the first loss is computed, is frozen, is never saved, and is neither needed nor loaded
    for anything but training. Each process compares student and teacher on its own part of the batch.

    Args:
        image_tower: see `ImageTextRetriever`.
        text_tower: see `ImageTextRetriever`.
        neck: see `ImageTextRetriever`.
        text_neck: see `ImageTextRetriever`.
        teacher: ``dict(config=FILE, checkpoint=FILE)`` of a trained retriever.
        supervision: config of the loss ``(student, teacher: Encoding) -> dict of losses``.
        similarity: see `ImageTextRetriever`.
        head: see `ImageTextRetriever`.
        data_preprocessor: see `ImageTextRetriever`.
        init_cfg: mmengine's.

    Raises:
        ConfigError: ``teacher`` is not as described.
    """

    def __init__(
        self,
        *,
        image_tower: Any,
        text_tower: Any,
        neck: Any,
        text_neck: Any,
        teacher: dict,
        supervision: Any = None,
        similarity: Any = None,
        head: Any = None,
        data_preprocessor: Any = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(
            image_tower=image_tower,
            text_tower=text_tower,
            neck=neck,
            text_neck=text_neck,
            similarity=similarity,
            head=head,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if set(teacher) != {'config', 'checkpoint'} or not all(isinstance(v, str) for v in teacher.values()):
            raise ConfigError(
                f'DistilledRetriever: teacher must be dict(config=FILE, checkpoint=FILE), got {dict(teacher)}'
            )
        self.teacher_files = dict(teacher)
        self.supervision = MODELS.build(_DEFAULT_SUPERVISION if supervision is None else supervision)
        self._teacher: Optional[Teacher] = None

    def loss(self, inputs: Images, data_samples: Sequence[RetrievalDataSample]) -> dict[str, Tensor]:
        """Losses of the head and of the teacher's supervision.

        Args:
            inputs: normalised images (B, 3, H, W), or their ImageFeatures where the teacher has the same image tower.
            data_samples: B samples.

        Raises:
            ConfigError: the model was built without a head, ``inputs`` are features of another tower than the
                teacher's, or the teacher's config does not fit.
            CheckpointError: the teacher's checkpoint is missing or of another model.
        """
        if isinstance(inputs, PartialImages):
            raise ConfigError(
                'DistilledRetriever: the teacher cannot see what the frozen part of an image tower gives; freeze '
                'image_tower whole, or leave feature_cache out'
            )
        captions = self._collate(data_samples)
        features = self.image_features(inputs)
        images, texts = self.embed_images(features), self._embed_captions(captions)
        student = Encoding(
            levels=tuple(m.mean(dim=(2, 3)) for m in features.maps),
            image=images.embedding,
            text=texts.pooled,
            scores=self.score(images, texts),
        )
        if self._teacher is None:
            self._teacher = Teacher(**self.teacher_files, device=features.maps[-1].device)
            if features is inputs and not self._teacher.shares_tower(self.image_tower):
                raise ConfigError(
                    "DistilledRetriever: the cached features are of another image tower than the teacher's; name a "
                    'teacher with the same tower, or leave feature_cache out'
                )
        seen = inputs if isinstance(inputs, ImageFeatures) else self._raw(inputs)
        supervised = self.supervision(student, self._teacher(seen, data_samples))
        return {**self._head_losses(images, texts, captions), **supervised}

    def _raw(self, inputs: Tensor) -> Tensor:
        """Undo the preprocessor: (B, 3, H, W), blue first, 0 to 255."""
        statistics = self.data_preprocessor
        images = inputs * statistics.std + statistics.mean
        return images.flip(1) if statistics.channel_order == 'rgb' else images
