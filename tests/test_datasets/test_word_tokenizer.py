"""Words and their ids, the same for every process and every caption of one text."""

import pickle

import numpy as np
import pytest

from osdpm_plugin.datasets.text.caption_text import caption_key, normalise_caption
from osdpm_plugin.datasets.text.word_tokenizer import PADDING_ID, WordTokenizer, split_caption, word_id
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.registry import TASK_UTILS


def test_words_by_hand():
    assert split_caption("Two  PLANES, parked near-by; it's 3.") == ['two', 'planes', 'parked', 'near', 'by'] + [
        'it',
        's',
        '3',
    ]
    assert split_caption(' . ') == []


def test_ids_are_positive_stable_and_apart():
    words = [f'word{i}' for i in range(5000)] + ['naïve', '机场']
    ids = [word_id(w) for w in words]
    assert len(set(ids)) == len(words) and min(ids) > PADDING_ID and max(ids) < 2**63 - 1
    assert word_id('airport') == 8060102843657727163  # on every machine


def test_rows_by_hand():
    tokenizer = TASK_UTILS.build(dict(type='WordTokenizer', context_length=4))
    tokens = tokenizer(['A park .', 'a big park by a river', '...', 'a'])
    a, big, park, by = (word_id(w) for w in ('a', 'big', 'park', 'by'))
    assert tokens.dtype == np.int64 and tokenizer([]).shape == (0, 4)
    assert tokens.tolist() == [[a, park, 0, 0], [a, big, park, by], [0, 0, 0, 0], [a, 0, 0, 0]]
    assert tokenizer.pad_token_id == 0 and WordTokenizer().context_length == 47


def test_words_of_other_scripts():
    assert split_caption('काला घर, काली') == ['काला', 'घर', 'काली']
    assert split_caption('ที่ดิน สีเขียว') == ['ที่ดิน', 'สีเขียว']
    assert split_caption('河边有ABC绿树。パーク 2') == [*'河边有', 'abc', *'绿树', *'パーク', '2']
    assert np.count_nonzero(WordTokenizer()(['河流两侧有许多绿树', '一架飞机'])) == 9 + 4
    assert WordTokenizer()(['机场'])[0, :2].tolist() == [word_id('机'), word_id('场')]


@pytest.mark.parametrize('pair', [('काला घर', 'काली घर'), ('बाग', 'बग'), ('ที่ดิน', 'ทดน'), ('forêt', 'foret')])
def test_vowel_signs_and_accents_tell_captions_apart(pair):
    assert caption_key(pair[0]) != caption_key(pair[1])


def test_normalised_text_by_hand():
    """Letters, digits and the underscore of ASCII stay, all else separates; a mark without a letter is no word."""
    ascii_text = ''.join(map(chr, range(128)))
    assert normalise_caption(ascii_text) == '0123456789 abcdefghijklmnopqrstuvwxyz _ abcdefghijklmnopqrstuvwxyz'
    assert normalise_caption('(fore\u0302t) \u0302 \u0915\u093e.\u0918') == 'for\u00eat \u0915\u093e \u0918'
    assert normalise_caption('2 m² of ‘naïve’ parks – ½') == '2 m² of naïve parks ½'  # not NFKC


@pytest.mark.parametrize(
    'pair',
    [
        ('A park.', 'a park'),
        ('near-by', 'near by'),
        ("it's", 'It s !'),
        ('FORE\u0302T', 'for\u00eat'),
        ('\u2708\ufe0f a park', 'a park'),
    ],
)
def test_equal_keys_mean_equal_tokens(pair):
    assert caption_key(pair[0]) == caption_key(pair[1])
    first, second = WordTokenizer()(pair)
    assert first.tolist() == second.tolist()


def test_it_travels_to_workers():
    tokenizer = WordTokenizer(context_length=5)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again(['a b c']).tolist() == tokenizer(['a b c']).tolist() and 'context_length=5' in repr(again)


def test_errors():
    with pytest.raises(TypeError, match=r'write \[caption\]'):
        WordTokenizer()('a park')
    for length in (0, True, 2.5):
        with pytest.raises(ConfigError, match='context_length must be a whole number of at least 1'):
            WordTokenizer(context_length=length)
