"""The vocabulary comes from training captions alone and travels in the checkpoint."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.engine import VocabularyHook
from osdpm_plugin.engine.vocabulary_hook import training_words
from osdpm_plugin.errors import CheckpointError, ConfigError
from osdpm_plugin.models.backbones import GRUTextTower
from osdpm_plugin.registry import MODELS
from tests.helpers import tiny_models as tiny
from tests.helpers import word_features as words
from tests.helpers.generated_data import captions_of, reword, write_dataset
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
