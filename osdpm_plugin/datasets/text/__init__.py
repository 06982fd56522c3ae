"""Captions -> a key of each text (``caption_text``) and (M, T) int64 token ids (``tokenizers``, ``word_tokenizer``)."""

from .tokenizers import HFTokenizer, OpenCLIPTokenizer
from .word_tokenizer import WordTokenizer

__all__ = ['HFTokenizer', 'OpenCLIPTokenizer', 'WordTokenizer']
