"""Hook that gives the words of the training captions to the model's `WordEmbedding`, before training."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch import nn

from ..datasets.sets.wrappers import infos_of
from ..datasets.text.stop_words import STOP_WORDS
from ..datasets.text.word_tokenizer import split_caption
from ..errors import CheckpointError
from ..models.backbones import WordEmbedding
from ..registry import HOOKS
from ..utils.checks import check_bool, check_int
from ..utils.dist import unwrapped


def training_words(dataset: Any, *, min_count: int = 1, drop_stop_words: bool = False) -> set[str]:
    """The words of a data set's captions.

    Args:
        dataset: mmengine data set (or a concatenation) whose items carry ``captions``.
        min_count: words that occur less often are left out.
        drop_stop_words: leave out `STOP_WORDS`.
    """
    counts = Counter(
        word for info in infos_of(dataset) for caption in info['captions'] for word in split_caption(caption)
    )
    dropped = STOP_WORDS if drop_stop_words else frozenset()
    return {word for word, count in counts.items() if count >= min_count and word not in dropped}


@HOOKS.register_module()
class VocabularyHook(Hook):
    """Set the vocabulary of each `WordEmbedding` of the model to the words of the training captions; no other split is
    read. A vocabulary that was loaded from a checkpoint must be the same.

    It does nothing for models without a `WordEmbedding`.

    Args:
        min_count: words of fewer occurrences are unknown words. The released code of AMFMN, GaLR, HVSA and SWAN has 5.
        drop_stop_words: whether English stop words are unknown words too, as in that code.

    Raises:
        ConfigError: ``min_count`` is below 1.
    """

    def __init__(self, *, min_count: int = 1, drop_stop_words: bool = False) -> None:
        self.min_count = check_int('VocabularyHook', 'min_count', min_count)
        self.drop_stop_words = check_bool('VocabularyHook', 'drop_stop_words', drop_stop_words)

    def before_train(self, runner: Any) -> None:
        """Set the vocabulary, the same on every process.

        Raises:
            CheckpointError: the loaded weights belong to other words.
            ConfigError: the embedding has too few rows.
        """
        model: nn.Module = unwrapped(runner.model)
        embeddings = [module for module in model.modules() if isinstance(module, WordEmbedding)]
        if not embeddings:
            return
        words = training_words(
            runner.train_dataloader.dataset, min_count=self.min_count, drop_stop_words=self.drop_stop_words
        )
        for embedding in embeddings:
            if not embedding.has_vocabulary:
                embedding.set_vocabulary(words)
            elif not embedding.holds(words):
                raise CheckpointError(
                    f'the checkpoint was trained with a vocabulary of {len(embedding.vocabulary)} words that is not '
                    f'the {len(words)} words of the training captions; train on the data set of the checkpoint and '
                    'with its min_count and drop_stop_words of VocabularyHook, or anew'
                )
        print_log(f'Vocabulary of the training captions: {len(words)} words', logger='current')
