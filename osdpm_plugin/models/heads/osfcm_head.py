"""OSFCM, object semantic feature clustering: the training-time side of OSDPM, from captions, from labels, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from torch import Tensor

from ...datasets.lexicon import Lexicon
from ...errors import ConfigError
from ...registry import MODELS, TASK_UTILS
from ...structures import CaptionBatch, NeckOutput, TextFeatures
from ...utils.checks import check_int, check_number
from ...utils.dist import gather_rows
from ..losses import object_priors, prior_clustering
from .contrastive_head import ContrastiveHead


@MODELS.register_module()
class OSFCMHead(ContrastiveHead):
    """Alignment, and clustering of images round object prototypes as the priors of their captions say.

    The paper: frequencies of object-category nouns in captions give probability priors; image features are clustered
    in the joint space by them. Interpretation, step by step:

    1. Nouns of the lexicon's categories are counted in the training captions (`CountObjects`, `ObjectFrequencyHook`).
    2. The ``num_objects`` most frequent categories become prompts; the text tower turns them into prototypes (K, D).
    3. Counts become p(o | image), tempered against the long tail (`object_priors`).
    4. KL(p || softmax(v . prototype / temperature)) pulls each image to its objects (`prior_clustering`).

    Ours: images that nobody captioned learn the same from object labels (`LabelledImageDataset`, `MixedDataset`). The
    categories of all labels of the training data become prompts and prototypes beside those of step 2, and an image
    with labels is pulled to them by steps 3 and 4: with one label the prior is one-hot and the divergence is the cross
    entropy of a classifier whose weights are the embedded prompts; several make the tempered distribution. Only images
    with captions take part in the alignment. ``cluster_weight`` is for the priors of captions, ``label_weight`` for
    those of labels; a weight of 0 switches its priors off.

    Args:
        tokenizer: config of the text tower's tokenizer, for the prompts.
        lexicon: path of a lexicon file or name of a shipped one (``remote_sensing_zh`` for Chinese captions and a text
            tower that reads Chinese); the English one when None. `CountObjects` of the pipeline must name the same.
        prompt: with ``{}`` for the category; None: the lexicon's own, ``a remote sensing image of {}`` in English.
        num_objects: K at most; categories that no training caption names are never taken.
        tempering: exponent of the frequency in the prior.
        temperature: of the soft assignment.
        cluster_weight: weight of the clustering by captions; 0 switches it off.
        label_weight: weight of the clustering by labels; 0 switches it off.
        align_weight: weight of the alignment loss; 0 switches it off.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        tokenizer: Any,
        lexicon: Optional[str] = None,
        prompt: Optional[str] = None,
        num_objects: int = 64,
        tempering: float = 0.5,
        temperature: float = 0.07,
        cluster_weight: float = 0.1,
        label_weight: float = 0.0,
        align_weight: float = 1.0,
        alignment: Any = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(alignment=alignment, init_cfg=init_cfg)
        if prompt is not None and '{}' not in prompt:
            raise ConfigError(f'OSFCMHead: prompt must contain {{}} for the category, got {prompt!r}')
        if cluster_weight + label_weight + align_weight == 0:
            raise ConfigError(
                'OSFCMHead: cluster_weight and align_weight are both 0, and so is label_weight; switch at least one on'
            )
        self.lexicon = Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon)
        if align_weight == 0:
            self.alignment.requires_grad_(False)  # its temperature is not used, which DDP would wait for
        self.num_objects = check_int('OSFCMHead', 'num_objects', num_objects, least=2)
        self.tempering = check_number('OSFCMHead', 'tempering', tempering, least=0)
        self.temperature = check_number('OSFCMHead', 'temperature', temperature, above=0)
        self.cluster_weight = check_number('OSFCMHead', 'cluster_weight', cluster_weight, least=0)
        self.label_weight = check_number('OSFCMHead', 'label_weight', label_weight, least=0)
        self.align_weight = check_number('OSFCMHead', 'align_weight', align_weight, least=0)
        self.prompt = prompt
        self.tokenizer = TASK_UTILS.build(tokenizer)
        self.register_buffer('all_prompt_tokens', self.tokens_of(self.lexicon.categories), persistent=False)
        self.register_buffer('frequency', torch.zeros(len(self.lexicon)))
        self.label_frequency: dict[str, float] = {}
        self._label_tokens = torch.empty(0, dtype=torch.int64)

    def tokens_of(self, names: Sequence[str]) -> Tensor:
        """Tokens (P, T) int64 of the prompts of P categories, of the lexicon or not."""
        return torch.as_tensor(self.tokenizer(self.lexicon.prompts(self.prompt, names)))

    def set_object_frequency(self, frequency: Tensor) -> None:
        """Set how often each category occurs, from training captions alone.

        Args:
            frequency: (O,), share of training images whose captions name the category.

        Raises:
            ConfigError: fewer than two categories occur.
        """
        if self.cluster_weight > 0 and (frequency > 0).sum() < 2:
            raise ConfigError(
                'OSFCMHead: the training captions name fewer than two categories of the lexicon; give OSFCMHead and '
                "CountObjects a lexicon that fits them (lexicon='remote_sensing_zh' if they are Chinese), or use "
                'ContrastiveHead'
            )
        self.frequency.copy_(frequency)

    def set_label_frequency(self, frequency: Mapping[str, float]) -> None:
        """Set the categories of labels and how often each occurs, from training data alone.

        Args:
            frequency: category -> share of the images with labels that have it.

        Raises:
            ConfigError: there are fewer than two categories, and they are to be clustered round.
        """
        if self.label_weight > 0 and len(frequency) < 2:
            raise ConfigError(
                f'OSFCMHead: label_weight={self.label_weight} needs training images with labels of two categories or '
                f'more, and there are {len(frequency)}; mix in a LabelledImageDataset, or set label_weight=0'
            )
        self.label_frequency = dict(frequency)
        self._label_tokens = self.tokens_of(list(frequency))

    @property
    def active_objects(self) -> Tensor:
        """(K,) int64, the categories that most training captions name, most frequent first; none without clustering."""
        if self.cluster_weight == 0:
            return self.frequency.new_empty(0, dtype=torch.int64)
        order = self.frequency.argsort(descending=True, stable=True)
        return order[: min(self.num_objects, int((self.frequency > 0).sum()))]

    @property
    def prompt_tokens(self) -> Optional[Tensor]:
        """(K + L, T) int64, of `active_objects` and of the categories of labels; None with the clustering switched off.

        Raises:
            ConfigError: `set_object_frequency` or `set_label_frequency` was not called.
        """
        if self.cluster_weight + self.label_weight == 0:
            return None
        lacking = self.label_weight > 0 and not self.label_frequency
        if lacking or (self.cluster_weight > 0 and not bool(self.frequency.any())):
            raise ConfigError(
                f'OSFCMHead: {"labels" if lacking else "object frequencies"} are not set; add '
                "dict(type='ObjectFrequencyHook') to custom_hooks"
                f'{", and train on images with labels" if lacking else ""}'
            )
        prompts = self.all_prompt_tokens[self.active_objects]
        return torch.cat([prompts, self._label_tokens.to(prompts.device)]) if self.label_weight > 0 else prompts

    def loss(
        self,
        images: NeckOutput,
        texts: TextFeatures,
        captions: CaptionBatch,
        *,
        prompts: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """See `ContrastiveHead.loss`; object counts are over the lexicon, ``prompts`` the prototypes (K + L, D).

        Raises:
            ConfigError: counts are missing or were made with another lexicon, or labels are of unknown categories.
        """
        losses = {}
        if self.align_weight > 0:
            losses['loss_align'] = self.align_weight * self._align(images, texts, captions)
        if self.cluster_weight + self.label_weight == 0:
            return losses
        if prompts is None:
            raise ConfigError('OSFCMHead: loss needs prompts, the embedded prompt_tokens')
        image_embed, active = gather_rows(images.embedding), self.active_objects
        if self.cluster_weight > 0:
            counts = gather_rows(self._object_counts(captions))[:, active]
            clusters = self._cluster(image_embed, prompts[: len(active)], counts, self.frequency[active])
            losses['loss_cluster'] = self.cluster_weight * clusters
        if self.label_weight > 0:
            counts = gather_rows(self._label_counts(captions).to(image_embed.device))
            frequency = counts.new_tensor(list(self.label_frequency.values()))
            clusters = self._cluster(image_embed, prompts[len(active) :], counts, frequency)
            losses['loss_label'] = self.label_weight * clusters
        return losses

    def _object_counts(self, captions: CaptionBatch) -> Tensor:
        counts = captions.object_counts
        if counts is None or counts.shape[1] != len(self.lexicon):
            have = 'none' if counts is None else f'counts of {counts.shape[1]} categories'
            raise ConfigError(
                f"OSFCMHead: the pipeline delivers {have}, the head's lexicon has {len(self.lexicon)}; put "
                "dict(type='CountObjects') with the same lexicon before SampleCaptions"
            )
        return counts

    def _label_counts(self, captions: CaptionBatch) -> Tensor:
        """(B, L), on the CPU."""
        places = {name: place for place, name in enumerate(self.label_frequency)}
        counts = torch.zeros(len(captions.image_ids), len(places))
        for row, labels in enumerate(captions.labels):
            unknown = labels.keys() - places.keys()
            if unknown:
                raise ConfigError(
                    f'OSFCMHead: the label {min(unknown)!r} is none of the {len(places)} of the training data; give '
                    'ObjectFrequencyHook the data set that is trained on'
                )
            for name, number in labels.items():
                counts[row, places[name]] = number
        return counts

    def _cluster(self, image_embed: Tensor, prototypes: Tensor, counts: Tensor, frequency: Tensor) -> Tensor:
        """The divergence of gathered images with counts (sum of B, O) from prototypes (O, D)."""
        priors, named = object_priors(counts, frequency, self.tempering)
        return prior_clustering(image_embed, prototypes, priors, named, self.temperature)
