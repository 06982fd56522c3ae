"""The vocabulary comes from training captions alone and travels in the checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.datasets.text import WordTokenizer
from osdpm_plugin.engine import VocabularyHook
from osdpm_plugin.engine.vocabulary_hook import training_words
from osdpm_plugin.errors import CheckpointError, ConfigError
from osdpm_plugin.models.backbones import GRUTextTower
from osdpm_plugin.registry import MODELS
from tests.helpers import tiny_models as tiny
from tests.helpers import word_features as words
from tests.helpers.generated_data import captions_of, reword, write_dataset
from tests.helpers.paths import ROOT
from tests.helpers.short_runs import run_here, train, weights_of, write_config
from tests.test_engine.test_object_frequency_hook import Captions

CONFIG = 'configs/comparison/vsepp_rsicd.py'


def runner_of(model, *captions):
    return SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=Captions(captions)))


def fresh():
    return MODELS.build(words.pair_cfg())


def test_words_by_hand():
    dataset = Captions([['A park .', 'two parks,near a river'], ['a RIVER'], [' ']])
    assert training_words(dataset) == {'a', 'park', 'two', 'parks', 'near', 'river'}


def test_only_the_training_split_is_read(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=4)
    reword(tmp_path / 'dataset.json', 'lighthouses')
    model = fresh()
    dataset = CaptionRetrievalDataset(data_root=str(tmp_path), split='train')
    VocabularyHook().before_train(SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset)))
    want = {w for i in range(4) for c in captions_of(i) for w in c.split() if w != '.'}
    assert set(model.text_tower.embedding.vocabulary) == want and 'lighthouses' not in want


def test_a_loaded_vocabulary_stays_if_it_is_the_same():
    model = fresh()
    VocabularyHook().before_train(runner_of(model, ['a park'], ['two rivers']))
    again = fresh()
    again.load_state_dict(model.state_dict())
    VocabularyHook().before_train(runner_of(again, ['two park'], ['a rivers']))
    assert again.text_tower.embedding.vocabulary == model.text_tower.embedding.vocabulary
    with pytest.raises(CheckpointError, match='a vocabulary of 4 words that is not the 5 words of the training capt'):
        VocabularyHook().before_train(runner_of(again, ['two park'], ['a rivers here']))


def test_too_many_words_are_an_error_with_its_remedy():
    model = fresh()
    model.text_tower = GRUTextTower(vocab_size=5, word_channels=4, hidden_channels=4)
    with pytest.raises(ConfigError, match='have 4 words, and vocab_size=5 .* takes 1 to 3; set it to 6 or more'):
        VocabularyHook().before_train(runner_of(model, ['a park with rivers']))


def test_other_towers_are_left_alone():
    VocabularyHook().before_train(SimpleNamespace(model=tiny.build(), train_dataloader=None))


@pytest.mark.stack
def test_checkpoint_is_self_contained_and_other_words_are_refused(tmp_path):
    config = write_config(tmp_path, CONFIG)
    train(config, tmp_path / 'run')
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    ids = weights_of(checkpoint)['text_tower.embedding.word_ids']
    assert len(ids) == 4096 - 2 and int((ids < ids[-1]).sum()) > 20

    reword(tmp_path / 'data' / 'dataset_rsicd.json', 'lighthouses', ['train'])
    tested = run_here('test', config, checkpoint, '--work-dir', tmp_path / 'test')
    assert tested.code == 0, 'a test reads no training caption: ' + tested.err
    refused = run_here('train', config, '--work-dir', tmp_path / 'other', load_from=checkpoint)
    assert refused.code == 2 and 'was trained with a vocabulary of' in refused.err, refused.err


def test_frequent_words_alone_by_hand():
    """`the` is a stop word, `park` occurs three times, in any case; `don't` is `don` and `t`."""
    dataset = Captions([['The park.', 'the park'], ["PARK, don't", 'river river'], ['a river bank']])
    assert training_words(dataset, min_count=3) == {'park', 'river'}
    assert training_words(dataset, min_count=2) == {'the', 'park', 'river'}
    assert training_words(dataset, min_count=2, drop_stop_words=True) == {'park', 'river'}
    assert training_words(dataset, drop_stop_words=True) == {'park', 'river', 'bank'}


def test_other_words_are_unknown_words():
    model = fresh()
    hook = VocabularyHook(min_count=2, drop_stop_words=True)
    hook.before_train(runner_of(model, ['the park', 'the park'], ['the river']))
    embedding = model.text_tower.embedding
    assert embedding.vocabulary == ['park']
    assert embedding.rows(torch.from_numpy(WordTokenizer(context_length=5)(['the park by the river']))).tolist() == [
        [1, 2, 1, 1, 1]
    ]
    again = fresh()
    again.load_state_dict(model.state_dict())
    with pytest.raises(CheckpointError, match='with its min_count and drop_stop_words of VocabularyHook, or anew'):
        VocabularyHook().before_train(runner_of(again, ['the park', 'the park'], ['the river']))
    hook.before_train(runner_of(again, ['the park', 'the park'], ['the river']))
    with pytest.raises(ConfigError, match='VocabularyHook: min_count must be'):
        VocabularyHook(min_count=0)


@pytest.mark.parametrize('name', ['amfmn_soft', 'amfmn_fusion', 'amfmn_sim', 'galr', 'hvsa', 'vsepp', 'resnet50/galr'])
@pytest.mark.parametrize('data', ['rsicd', 'rsitmd', 'ucm'])
def test_configs_keep_the_words_of_the_released_code(name, data):
    """On the published towers, for the methods whose released code drops the others."""
    file = ROOT / 'configs' / 'comparison' / f'{name}_{"rsicd150" if "/" in name and data == "rsicd" else data}.py'
    if not file.is_file():
        pytest.skip(f'no {file.name}')
    (hook,) = [hook for hook in Config.fromfile(file).custom_hooks if hook.type == 'VocabularyHook']
    released = name not in ('vsepp', 'resnet50/galr')
    assert hook == (
        dict(type='VocabularyHook', min_count=5, drop_stop_words=True) if released else dict(type='VocabularyHook')
    )


def test_words_of_rsicd():
    """Measured on the part of RSICD that is at hand; the released vocabulary of the whole set has 1225 rows."""
    root = os.environ.get('OSDPM_DATA_ROOT', '')
    if not Path(root, 'RSICD').is_dir():
        pytest.skip('set OSDPM_DATA_ROOT to a folder that holds RSICD/')
    data = CaptionRetrievalDataset(
        data_root=str(Path(root, 'RSICD')),
        ann_file='dataset_rsicd.json',
        image_dir='RSICD_images',
        split='trainval',
        blank_captions='drop',
        check='none',
    )
    kept = training_words(data, min_count=5, drop_stop_words=True)
    assert len(kept) < 0.5 * len(training_words(data)) and 900 < len(kept) <= 1225
