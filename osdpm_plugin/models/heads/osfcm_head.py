"""OSFCM, object semantic feature clustering: the training-time side of OSDPM."""

from __future__ import annotations

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

    Args:
        tokenizer: config of the text tower's tokenizer, for the prompts.
        lexicon: path of a lexicon file or name of a shipped one (``remote_sensing_zh`` for Chinese captions and a text
            tower that reads Chinese); the English one when None. `CountObjects` of the pipeline must name the same.
        prompt: with ``{}`` for the category; None: the lexicon's own, ``a remote sensing image of {}`` in English.
        num_objects: K at most; categories that no training caption names are never taken.
        tempering: exponent of the frequency in the prior.
        temperature: of the soft assignment.
        cluster_weight: weight of the clustering loss; 0 switches it off.
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
        align_weight: float = 1.0,
        alignment: Any = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(alignment=alignment, init_cfg=init_cfg)
        if prompt is not None and '{}' not in prompt:
            raise ConfigError(f'OSFCMHead: prompt must contain {{}} for the category, got {prompt!r}')
        if cluster_weight + align_weight == 0:
            raise ConfigError('OSFCMHead: cluster_weight and align_weight are both 0; switch at least one on')
        self.lexicon = Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon)
        if align_weight == 0:
            self.alignment.requires_grad_(False)  # its temperature is not used, which DDP would wait for
        self.num_objects = check_int('OSFCMHead', 'num_objects', num_objects, least=2)
        self.tempering = check_number('OSFCMHead', 'tempering', tempering, least=0)
        self.temperature = check_number('OSFCMHead', 'temperature', temperature, above=0)
        self.cluster_weight = check_number('OSFCMHead', 'cluster_weight', cluster_weight, least=0)
        self.align_weight = check_number('OSFCMHead', 'align_weight', align_weight, least=0)
        tokens = TASK_UTILS.build(tokenizer)(self.lexicon.prompts(prompt))
        self.register_buffer('all_prompt_tokens', torch.as_tensor(tokens), persistent=False)
        self.register_buffer('frequency', torch.zeros(len(self.lexicon)))

    def set_object_frequency(self, frequency: Tensor) -> None:
        """Set how often each category occurs, from training captions alone.

        Args:
            frequency: (O,), share of training images whose captions name the category.

        Raises:
            ConfigError: fewer than two categories occur.
        """
        if (frequency > 0).sum() < 2:
            raise ConfigError(
                'OSFCMHead: the training captions name fewer than two categories of the lexicon; give OSFCMHead and '
                "CountObjects a lexicon that fits them (lexicon='remote_sensing_zh' if they are Chinese), or use "
                'ContrastiveHead'
            )
        self.frequency.copy_(frequency)

    @property
    def active_objects(self) -> Tensor:
        """(K,) int64, the most frequent categories, most frequent first."""
        order = self.frequency.argsort(descending=True, stable=True)
        return order[: min(self.num_objects, int((self.frequency > 0).sum()))]

    @property
    def prompt_tokens(self) -> Optional[Tensor]:
        """(K, T) int64, or None with the clustering switched off.

        Raises:
            ConfigError: `set_object_frequency` was not called.
        """
        if self.cluster_weight == 0:
            return None
        if not bool(self.frequency.any()):
            raise ConfigError(
                "OSFCMHead: object frequencies are not set; add dict(type='ObjectFrequencyHook') to custom_hooks"
            )
        return self.all_prompt_tokens[self.active_objects]

    def loss(
        self,
        images: NeckOutput,
        texts: TextFeatures,
        captions: CaptionBatch,
        *,
        prompts: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """See `ContrastiveHead.loss`; object counts are over the lexicon, ``prompts`` are the prototypes (K, D).

        Raises:
            ConfigError: counts are missing or were made with another lexicon.
        """
        losses = {}
        if self.align_weight > 0:
            losses['loss_align'] = self.align_weight * super().loss(images, texts, captions)['loss_align']
        if self.cluster_weight > 0:
            clusters = self._cluster(images.embedding, captions.object_counts, prompts)
            losses['loss_cluster'] = self.cluster_weight * clusters
        return losses

    def _cluster(self, image_embed: Tensor, object_counts: Optional[Tensor], prototypes: Optional[Tensor]) -> Tensor:
        if object_counts is None or object_counts.shape[1] != len(self.lexicon):
            have = 'none' if object_counts is None else f'counts of {object_counts.shape[1]} categories'
            raise ConfigError(
                f"OSFCMHead: the pipeline delivers {have}, the head's lexicon has {len(self.lexicon)}; put "
                "dict(type='CountObjects') with the same lexicon before SampleCaptions"
            )
        if prototypes is None:
            raise ConfigError('OSFCMHead: loss needs prompts, the embedded prompt_tokens')
        active = self.active_objects
        priors, named = object_priors(gather_rows(object_counts)[:, active], self.frequency[active], self.tempering)
        return prior_clustering(gather_rows(image_embed), prototypes, priors, named, self.temperature)
