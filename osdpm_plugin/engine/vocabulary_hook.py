"""Hook that gives the words of the training captions to the model's `WordEmbedding`, before training."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch import nn

from ..datasets.text.word_tokenizer import split_caption
from ..errors import CheckpointError
from ..models.backbones import WordEmbedding
from ..registry import HOOKS
from ..utils.dist import unwrapped


def training_words(dataset: Any) -> set[str]:
    """The words of a data set's captions.

    Args:
        dataset: mmengine data set (or a concatenation) whose items carry ``captions``.
    """
    return {
        word
        for index in range(len(dataset))
        for caption in dataset.get_data_info(index)['captions']
        for word in split_caption(caption)
    }


@HOOKS.register_module()
class VocabularyHook(Hook):
    """Set the vocabulary of each `WordEmbedding` of the model to the words of the training captions; no other split is
    read. A vocabulary that was loaded from a checkpoint must be the same.

    Models without a `WordEmbedding` are left alone.
    """

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
        words = training_words(runner.train_dataloader.dataset)
        for embedding in embeddings:
            if not embedding.has_vocabulary:
                embedding.set_vocabulary(words)
            elif not embedding.holds(words):
                raise CheckpointError(
                    f'the checkpoint was trained with a vocabulary of {len(embedding.vocabulary)} words that is not '
                    f'the {len(words)} words of the training captions; train on the data set of the checkpoint, or '
                    'leave it out'
                )
        print_log(f'Vocabulary of the training captions: {len(words)} words', logger='current')
