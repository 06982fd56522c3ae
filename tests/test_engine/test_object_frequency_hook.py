"""How often training captions name each object, and that no other caption is ever looked at."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.engine import ObjectFrequencyHook
from osdpm_plugin.engine.object_frequency_hook import object_frequency
from osdpm_plugin.errors import ConfigError
from tests.helpers.generated_data import reword, write_dataset
from tests.helpers.short_runs import same_weights, train, weights_of, write_config
from tests.helpers.tiny_models import build

HIDDEN = 'three lighthouses and a stadium'  # named in val and test alone


class Captions(list):
    """A data set of captions."""

    def get_data_info(self, index):
        return dict(captions=list(self[index]))


def by_name(frequency, lexicon=None):
    lexicon = lexicon or Lexicon.default()
    return {lexicon.categories[i]: float(frequency[i]) for i in np.flatnonzero(frequency)}


def test_hand_worked_frequencies():
    """Images count, not captions or mentions: a plane named twice in both captions of one of four images is 1/4."""
    dataset = Captions(
        [
            ['a plane beside a plane .', 'two planes here'],
            ['a bridge over a river', 'the bridge is long'],
            ['many trees', 'a river and some trees'],
            ['nothing to see'],
        ]
    )
    frequency = object_frequency(dataset, Lexicon.default())
    assert frequency.dtype == np.float64 and frequency.shape == (len(Lexicon.default()),)
    assert by_name(frequency) == {'plane': 0.25, 'bridge': 0.25, 'river': 0.5, 'tree': 0.25}


@pytest.mark.stack
def test_only_the_training_split_is_read(tmp_path):
    """Sixteen training images over eight nouns, each named by two of them; every image has trees, roads, ..."""
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=16)
    reword(tmp_path / 'dataset.json', HIDDEN)
    model = build()
    dataset = CaptionRetrievalDataset(data_root=str(tmp_path), split='train')
    runner = SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset))
    ObjectFrequencyHook().before_train(runner)
    lexicon = model.head.lexicon
    named = by_name(model.head.frequency, lexicon)
    assert {named[name] for name in ('tree', 'road', 'residential area', 'river')} == {1.0}
    assert {named[name] for name in ('plane', 'storage tank', 'ship', 'tennis court', 'bridge', 'house')} == {0.125}
    for category in by_name(lexicon.count([HIDDEN]), lexicon):
        assert category not in named
    assert by_name(lexicon.count([HIDDEN]), lexicon), 'the lexicon must know what is hidden'


@pytest.mark.stack
def test_val_and_test_captions_change_no_loss_and_no_weight(tmp_path):
    """Nothing of a test caption may reach the model."""
    configs = [write_config(tmp_path / name, **{'train_cfg.max_epochs': 2}) for name in ('plain', 'changed')]
    reword(tmp_path / 'changed' / 'data' / 'dataset_rsicd.json', f'{HIDDEN} number {{sentid}} of {{imgid}}')
    plain, changed = tmp_path / 'plain' / 'run', tmp_path / 'changed' / 'run'
    losses = train(configs[0], plain)
    assert train(configs[1], changed) == losses and len(losses) == 4
    assert same_weights(plain / 'epoch_2.pth', changed / 'epoch_2.pth')
    frequency = weights_of(changed / 'epoch_2.pth')['head.frequency']
    assert not frequency[torch.from_numpy(Lexicon.default().count([HIDDEN]) > 0)].any()


def test_captions_without_objects_are_an_error():
    runner = SimpleNamespace(model=build(), train_dataloader=SimpleNamespace(dataset=Captions([['nothing'], ['none']])))
    with pytest.raises(ConfigError, match='fewer than two categories'):
        ObjectFrequencyHook().before_train(runner)


def test_other_heads_are_left_alone():
    runner = SimpleNamespace(model=build(head=dict(type='ContrastiveHead')), train_dataloader=None)
    ObjectFrequencyHook().before_train(runner)
