import pickle
import subprocess
import sys

import numpy as np
import open_clip
import pytest

from osdpm_plugin.datasets.text.tokenizers import HFTokenizer, OpenCLIPTokenizer
from osdpm_plugin.errors import CheckpointError, ConfigError
from osdpm_plugin.registry import TASK_UTILS

CAPTIONS = [
    'Many planes are parked next to a long building in an airport.',
    'a ship',
    '',
    'Grüße, 20 storage tanks!',
    ' '.join(['very'] * 100) + ' long',
]
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'ship', 'very', 'long', 'tank', '##s']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A word-piece tokenizer as `save_pretrained` writes it."""
    import tokenizers
    import transformers

    inner = tokenizers.Tokenizer(tokenizers.models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token='[UNK]'))
    inner.normalizer = tokenizers.normalizers.BertNormalizer()
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single='[CLS] $A [SEP]', special_tokens=[('[CLS]', 2), ('[SEP]', 3)]
    )
    path = str(tmp_path_factory.mktemp('hf') / 'tokenizer')
    special = dict(pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]')
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(path)
    return path


@pytest.mark.parametrize('length', [None, 32, 8])
def test_open_clip_equals_its_own(length):
    tokenizer = OpenCLIPTokenizer(model='ViT-B-32', context_length=length)
    expected = open_clip.get_tokenizer('ViT-B-32', context_length=length)(CAPTIONS).numpy()
    tokens = tokenizer(CAPTIONS)
    assert tokens.dtype == np.int64 and tokens.shape == (5, length or 77)
    assert np.array_equal(tokens, expected)
    assert tokenizer.context_length == (length or 77) and tokenizer.pad_token_id == 0
    assert (tokens.max(axis=1) == 49407).all()  # each keeps its end-of-text token, cut or not


def test_open_clip_model_as_a_dict():
    tokenizer = OpenCLIPTokenizer(model=dict(embed_dim=8, text_cfg=dict(context_length=12, vocab_size=49408)))
    assert tokenizer(['a ship']).tolist() == [[49406, 320, 1158, 49407] + [0] * 8]


def test_hf_equals_transformers(folder):
    from transformers import AutoTokenizer

    tokenizer = HFTokenizer(name_or_path=folder, context_length=10)
    tokens = tokenizer(CAPTIONS)
    expected = AutoTokenizer.from_pretrained(folder)(CAPTIONS, padding='max_length', truncation=True, max_length=10)
    assert tokens.dtype == np.int64 and np.array_equal(tokens, np.array(expected['input_ids']))
    assert tokenizer(['a ships']).tolist() == [[2, 5, 6, 10, 3, 0, 0, 0, 0, 0]]
    assert tokens[4].tolist() == [2] + [7] * 8 + [3]
    assert (tokenizer.context_length, tokenizer.pad_token_id) == (10, 0)


@pytest.mark.parametrize('kind', ['open_clip', 'hf'])
def test_pickle_and_edge_cases(kind, folder):
    tokenizer = (
        OpenCLIPTokenizer(context_length=9)
        if kind == 'open_clip'
        else HFTokenizer(name_or_path=folder, context_length=9)
    )
    data = pickle.dumps(tokenizer)
    assert len(data) < 1000  # arguments, not vocabularies
    again = pickle.loads(data)
    assert np.array_equal(again(CAPTIONS), tokenizer(CAPTIONS))
    assert (again.context_length, again.pad_token_id) == (tokenizer.context_length, tokenizer.pad_token_id)
    assert tokenizer([]).shape == (0, 9) and tokenizer([]).dtype == np.int64
    assert tokenizer(tuple(CAPTIONS)).shape == (5, 9)
    assert 'context_length=9' in repr(tokenizer)
    with pytest.raises(TypeError, match=r'write \[caption\]'):
        tokenizer('a ship')


def test_registered(folder):
    assert isinstance(TASK_UTILS.build(dict(type='OpenCLIPTokenizer', model='RN50')), OpenCLIPTokenizer)
    assert isinstance(TASK_UTILS.build(dict(type='HFTokenizer', name_or_path=folder)), HFTokenizer)


@pytest.mark.parametrize('length', [2, 0, -1, 7.5, True])
def test_bad_length(length, folder):
    with pytest.raises(ConfigError, match='OpenCLIPTokenizer: context_length must be a whole number of at least 3'):
        OpenCLIPTokenizer(context_length=length)
    with pytest.raises(ConfigError, match='HFTokenizer: context_length must be a whole number of at least 3'):
        HFTokenizer(name_or_path=folder, context_length=length)


def test_unknown_model():
    with pytest.raises(ConfigError, match="did you mean 'ViT-B-32'|did you mean .*ViT-B-32"):
        OpenCLIPTokenizer(model='ViT-B-33')


@pytest.mark.parametrize('path', ['./nowhere', '/no/folder'])
def test_missing_folder(path):
    with pytest.raises(CheckpointError, match=f"tokenizer: '{path}' is not a folder"):
        HFTokenizer(name_or_path=path)


def test_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(CheckpointError, match='does not hold one'):
        HFTokenizer(name_or_path=str(tmp_path))


def test_out_of_reach(monkeypatch):
    import transformers

    def refuse(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr(transformers.AutoTokenizer, 'from_pretrained', refuse)
    with pytest.raises(CheckpointError, match='neither in the cache nor'):
        HFTokenizer(name_or_path='someone/model')
    with pytest.raises(CheckpointError, match='timm/ViT-B-16-SigLIP .*neither in the cache'):
        OpenCLIPTokenizer(model='ViT-B-16-SigLIP')


def test_no_padding_token(folder, tmp_path):
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_file=f'{folder}/tokenizer.json', unk_token='[UNK]').save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match='no padding token'):
        HFTokenizer(name_or_path=str(tmp_path))


def test_spawned_worker(folder, tmp_path):
    """A tokenizer arrives in a process that shares nothing with this one."""
    file = tmp_path / 'tokenizer.pkl'
    tokenizers = [OpenCLIPTokenizer(context_length=9), HFTokenizer(name_or_path=folder, context_length=9)]
    file.write_bytes(pickle.dumps(tokenizers))
    code = f'import pickle; print([t(["a ship"]).tolist() for t in pickle.load(open({str(file)!r}, "rb"))])'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().splitlines()[-1] == str([t(['a ship']).tolist() for t in tokenizers])
