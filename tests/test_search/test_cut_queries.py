"""A query that is longer than the context of the model is said."""

import logging

import numpy as np

from osdpm_plugin.datasets.text import WordTokenizer
from osdpm_plugin.search.encoder import Encoder


def test_a_query_that_is_cut_is_said_once(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'osdpm_plugin.datasets.text.cut_captions.print_log',
        lambda message, logger, level=logging.INFO: lines.append(message),
    )
    encoder = object.__new__(Encoder)
    encoder.tokenizer = WordTokenizer(context_length=3)
    encoder.templates = ()
    encoder.tokens = lambda tokens: list(np.asarray(tokens))
    encoder.texts('a green park', batch_size=2)
    assert lines == []
    found = encoder.texts(['a green park', 'a green park near a river'], batch_size=2)
    assert (found[0] == found[1]).all()
    assert lines == [
        "texts: 1 of 2 are cut at 3 tokens, first 'a green park near a river'; shorten them, or raise context_length "
        'if the text tower takes more'
    ]
    encoder.templates = ('an image of {}',)
    encoder.texts('a green park', batch_size=2)
    assert len(lines) == 2 and "are cut at 3 tokens, first 'an image of a green park'" in lines[1]
