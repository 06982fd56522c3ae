"""Captions that are longer than the context of a tokenizer are counted, and said once."""

import json
import logging

import pytest

from osdpm_plugin.datasets.text import HFTokenizer, OpenCLIPTokenizer, WordTokenizer
from osdpm_plugin.datasets.text.cut_captions import cut_captions, warn_of_cut
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import write_dataset


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'osdpm_plugin.datasets.text.cut_captions.print_log',
        lambda message, logger, level=logging.INFO: lines.append((logging.getLevelName(level), message)),
    )
    return lines


def words(n, last=''):
    return ' '.join(['ship'] * n) + last


@pytest.mark.parametrize(
    ('tokenizer', 'room'),
    [
        (WordTokenizer(context_length=12), 12),
        (OpenCLIPTokenizer(context_length=12), 10),
        (OpenCLIPTokenizer(context_length=77), 75),
    ],
)
def test_a_text_that_just_fits_is_not_cut(tokenizer, room):
    """Start and end take two of CLIP's tokens; where a text is cut, its row is that of the text without its end."""
    fits, cut = words(room), words(room + 1)
    assert cut_captions(tokenizer, [fits, cut, '', 'a ship', words(room, ' dock')]) == [cut, words(room, ' dock')]
    assert (tokenizer([fits])[0] == tokenizer([cut])[0]).all()
    assert (tokenizer([words(room - 1)])[0] != tokenizer([fits])[0]).any()


def test_counts_are_those_of_the_tokens():
    clip, whole = OpenCLIPTokenizer(context_length=200), WordTokenizer(context_length=200)
    texts = ['Grüße, 20 storage-tanks!', "it's a   park .", '两个公园', '', 'a &amp; b … ﬁne', 'x' * 60, 'A\u00a0ship']
    for text in texts:
        assert clip.count(text) == (clip([text]) != 0).sum()
        assert whole.count(text) == (whole([text]) != 0).sum()
    long = [text for text in texts if clip.count(text) > 9]
    assert cut_captions(OpenCLIPTokenizer(context_length=9), texts) == long and 0 < len(long) < len(texts)


def test_hugging_face_tokenizer(tmp_path):
    import tokenizers
    import transformers

    vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'ship', '##s']
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token='[UNK]')
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single='[CLS] $A [SEP]', special_tokens=[('[CLS]', 2), ('[SEP]', 3)]
    )
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, pad_token='[PAD]').save_pretrained(str(tmp_path))
    tokenizer = HFTokenizer(name_or_path=str(tmp_path), context_length=6)
    assert cut_captions(tokenizer, ['ship ship', 'ships ships', 'ships ship ships', words(5)]) == [
        'ships ship ships',
        words(5),
    ]


def test_a_data_set_says_it_at_start_up(tmp_path, log):
    """Sixty captions that differ in their end alone are one text to the model."""
    annotation = write_dataset(tmp_path, 'CaptionRetrievalDataset', train=12, val=1, test=0)
    for i, image in enumerate(annotation['images'][:12]):
        image['sentences'] = [dict(raw=words(50, f' {i} {j}')) for j in range(5)]
    (tmp_path / 'dataset.json').write_text(json.dumps(annotation))
    for length, split in ((48, 'train'), (77, 'train'), (48, 'val')):
        tokenizer = dict(type='OpenCLIPTokenizer', context_length=length)
        data = DATASETS.build(
            dict(
                type='CaptionRetrievalDataset',
                data_root=str(tmp_path),
                image_dir='images',
                split=split,
                pipeline=[dict(type='TokenizeCaptions', tokenizer=tokenizer)],
                check='none',
            )
        )
    assert len(data) == 1
    assert log == [
        (
            'WARNING',
            f"{tmp_path}/dataset.json: captions of split 'train': 60 of 60 are cut at 48 tokens, first "
            f"'{words(50)} 0 0'; shorten them, or raise context_length if the text tower takes more",
        )
    ]


def test_a_tokenizer_that_cannot_count(log):
    warn_of_cut(lambda texts: None, ['a ship'], 'texts')
    assert log == []
