"""Captions -> (M, T) int64 tokens, by the tokenizer that the text tower was trained with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import open_clip

from ...errors import CheckpointError, ConfigError
from ...pretrained.clip_architecture import resolve_architecture
from ...pretrained.hugging_face import load_tokenizer
from ...registry import TASK_UTILS
from ...utils.checks import check_int


@TASK_UTILS.register_module()
class OpenCLIPTokenizer:
    """The tokenizer of an open_clip architecture; CLIP's own byte pairs come with the package and need no download.

    A caption longer than T is cut and keeps its end-of-text token. An instance is pickled as its arguments.

    Args:
        model: an open_clip architecture or a dict with an open_clip model config, the same as the text tower's.
        context_length: T; None takes that of the architecture (77 for CLIP). Most captions of remote-sensing sets fit
            in 32, which makes the text tower twice as fast; see `OpenCLIPTextTower` for towers that accept less than
            the full length.

    Attributes:
        context_length: T.
        pad_token_id: id that fills the rest of a row.

    Raises:
        ConfigError: unknown architecture, or a context length that leaves no room for a word.
        CheckpointError: the tokenizer of the architecture is on the hub and cannot be fetched.
    """

    def __init__(self, *, model: Union[str, dict] = 'ViT-B-32', context_length: Optional[int] = None) -> None:
        self.model = model
        text_cfg = resolve_architecture(model, half='text_cfg').text_cfg
        self.context_length = _check_length(
            'OpenCLIPTokenizer', text_cfg.get('context_length', 77) if context_length is None else context_length
        )
        hub_name = text_cfg.get('hf_tokenizer_name')
        options = text_cfg.get('tokenizer_kwargs') or {}
        if not hub_name:
            self._tokenizer = open_clip.SimpleTokenizer(context_length=self.context_length, **options)
            self.pad_token_id = 0
            return
        try:
            self._tokenizer = open_clip.HFTokenizer(
                hub_name, context_length=self.context_length, tokenizer_mode=text_cfg.get('tokenizer_mode'), **options
            )
        except Exception as error:  # noqa: BLE001, the hub client raises a dozen types
            raise CheckpointError(
                f'the tokenizer {hub_name} of model={model!r} is neither in the cache nor could it '
                f'be fetched ({type(error).__name__}); fetch it where there is a network'
            ) from error
        self.pad_token_id = self._tokenizer.tokenizer.pad_token_id

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(M,) captions -> (M, T) int64.

        Raises:
            TypeError: ``texts`` is a single string.
        """
        texts = _check_texts(texts)
        if not texts:
            return np.zeros((0, self.context_length), dtype=np.int64)
        return self._tokenizer(texts).numpy().astype(np.int64)

    def count(self, text: str) -> int:
        """The number of tokens of a text, start and end included, however long it is."""
        if isinstance(self._tokenizer, open_clip.SimpleTokenizer):
            return len(self._tokenizer.encode(text)) + 2
        return _count(self._tokenizer.tokenizer, self._tokenizer.clean_fn(text))

    def __getstate__(self) -> dict:
        return dict(model=self.model, context_length=self.context_length)

    def __setstate__(self, state: dict) -> None:
        OpenCLIPTokenizer.__init__(self, **state)

    def __repr__(self) -> str:
        model = dict(self.model) if isinstance(self.model, Mapping) else self.model
        return f'{type(self).__name__}(model={model!r}, context_length={self.context_length})'


@TASK_UTILS.register_module()
class HFTokenizer:
    """A tokenizer of `transformers`, for `HFTextTower`.

    An instance is pickled as its arguments.

    Args:
        name_or_path: a folder with the tokenizer's files, or a name on the Hugging Face hub.
        context_length: T; longer captions are cut and keep their closing token.

    Attributes:
        context_length: T.
        pad_token_id: id that fills the rest of a row.

    Raises:
        ConfigError: no padding token, or a context length that leaves no room for a word.
        CheckpointError: the folder or the hub has no such tokenizer.
    """

    def __init__(self, *, name_or_path: str, context_length: int = 64) -> None:
        os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')  # threads do not survive the fork of data workers
        self.name_or_path = name_or_path
        self.context_length = _check_length('HFTokenizer', context_length)
        self._tokenizer = load_tokenizer(name_or_path)
        if self._tokenizer.pad_token_id is None:
            raise ConfigError(f'the tokenizer {name_or_path} has no padding token; choose one made for an encoder')
        self.pad_token_id: int = self._tokenizer.pad_token_id

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(M,) captions -> (M, T) int64.

        Raises:
            TypeError: ``texts`` is a single string.
        """
        texts = _check_texts(texts)
        if not texts:
            return np.zeros((0, self.context_length), dtype=np.int64)
        ids = self._tokenizer(texts, padding='max_length', truncation=True, max_length=self.context_length)['input_ids']
        return np.asarray(ids, dtype=np.int64)

    def count(self, text: str) -> int:
        """The number of tokens of a text, start and end included, however long it is."""
        return _count(self._tokenizer, text)

    def __getstate__(self) -> dict:
        return dict(name_or_path=self.name_or_path, context_length=self.context_length)

    def __setstate__(self, state: dict) -> None:
        HFTokenizer.__init__(self, **state)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name_or_path={self.name_or_path!r}, context_length={self.context_length})'


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, verbose=False)['input_ids'])


def _check_length(owner: str, length: int) -> int:
    hint = 'a caption needs a start token, a word and an end token'
    return check_int(owner, 'context_length', length, least=3, hint=hint)


def _check_texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f'a tokenizer takes a list of captions, got the string {texts!r}; write [caption]')
    return list(texts)
