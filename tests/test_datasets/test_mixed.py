"""Captioned and labelled images in one epoch: which, how often, with which ids and which random choices."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from osdpm_plugin.datasets import LabelledImageDataset, MixedDataset
from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.engine.object_frequency_hook import label_frequency, object_frequency
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.launch import check_data
from osdpm_plugin.registry import DATASETS, TRANSFORMS
from tests.helpers.generated_data import class_name, write_dataset
from tests.test_datasets.test_labelled_images import write_images

TRAIN = 20


@pytest.fixture
def captioned(tmp_path):
    """Config of a captioned set of twenty images, whose names say their classes."""
    write_dataset(tmp_path / 'rsicd', 'RSICD', train=TRAIN, val=2, test=2, size=8, stem=class_name('RSICD'))
    return dict(type='RSICD', data_root=str(tmp_path / 'rsicd'), split='train', labels='own')


@pytest.fixture
def labelled(tmp_path):
    """Config of a labelled set of six images of two classes."""
    write_images(tmp_path / 'aid', *(f'{name}/{i}.png' for name in ('Quarry', 'Pond') for i in range(3)))
    return dict(type='LabelledImageDataset', data_root=str(tmp_path / 'aid'))


def names_of(infos):
    return [info['img_path'].rsplit('/', 1)[1] for info in infos]


def infos_of(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def kept(config, fraction, **options):
    data = MixedDataset(dataset=config, caption_fraction=fraction, **options)
    return {info['image_id'] for info in data.different_items() if info['captions']}


def test_smaller_shares_are_among_larger_ones(captioned):
    shares = [kept(captioned, fraction) for fraction in (0.1, 0.3, 0.6, 1.0)]
    assert [len(share) for share in shares] == [2, 6, 12, 20]
    assert all(small < large for small, large in zip(shares, shares[1:]))
    assert kept(captioned, 0.3, caption_seed=1) != shares[1]
    assert len(kept(captioned, 0.001)) == 1


def test_the_others_are_labelled_or_left_out(captioned):
    data = MixedDataset(dataset=captioned, caption_fraction=0.3, ratio=1.0)
    infos = infos_of(data)
    assert len(infos) == 2 * TRAIN and [bool(info['captions']) for info in infos] == [True] * TRAIN + [False] * TRAIN
    # six images shown twenty times, fourteen shown twenty times: each equally often but for one
    for part, images in ((infos[:TRAIN], 6), (infos[TRAIN:], 14)):
        times = Counter(info['image_id'] for info in part)
        assert len(times) == images and max(times.values()) - min(times.values()) <= 1
    assert all(info['caption_ids'] == [] and info['labels'] for info in infos[TRAIN:])
    assert len({info['image_id'] for info in data.different_items()}) == TRAIN

    alone = MixedDataset(dataset=captioned, caption_fraction=0.3, others='left_out')
    assert len(alone) == TRAIN and all(info['captions'] for info in infos_of(alone))
    assert {info['image_id'] for info in infos_of(alone)} == kept(captioned, 0.3)
    assert len(MixedDataset(dataset=captioned, caption_fraction=0.3)) == TRAIN + 14  # as they come
    assert len(MixedDataset(dataset=captioned, caption_fraction=0.3, ratio=0)) == TRAIN
    assert sorted(names_of(infos_of(MixedDataset(dataset=captioned)))) == sorted(names_of(DATASETS.build(captioned)))


def test_an_epoch_goes_on_where_the_last_one_ended(captioned):
    """Three epochs of twenty show fourteen labelled images sixty times: each four or five times."""
    data = MixedDataset(dataset=captioned, caption_fraction=0.3, ratio=1.0)
    times = Counter()
    for epoch in range(3):
        data.seed_epoch(0, epoch)
        times.update(data.get_data_info(i)['image_id'] for i in range(TRAIN, 2 * TRAIN))
    assert sorted(set(times.values())) == [4, 5] and sum(times.values()) == 60


def test_ids_of_several_sets_never_collide(captioned, labelled, tmp_path):
    """The set that stands twice has every id twice by itself."""
    data = MixedDataset(datasets=[captioned, labelled, captioned], ratio=0.5)
    items = list(data.different_items())
    assert len({item['image_id'] for item in items}) == len(items) == 2 * TRAIN + 6
    captions = [i for item in items for i in item['caption_ids']]
    assert len(set(captions)) == len(captions) == 2 * TRAIN * 5
    assert len(data) == 2 * TRAIN + TRAIN and data.metainfo == {'dataset': 'RSICD'}
    loader = dict(batch_size=4, dataset=dict(type='MixedDataset', datasets=[captioned, labelled, captioned]))
    check_data(dict(train_dataloader=copy.deepcopy(loader)), 'train_dataloader')


def test_frequencies_are_of_images_not_of_repetitions(captioned, labelled):
    data = MixedDataset(datasets=[captioned, labelled], caption_fraction=0.3, ratio=2.0)
    shown = [info for info in data.different_items()]
    captions = [info['captions'] for info in shown if info['captions']]
    assert len(captions) == 6
    lexicon = Lexicon.default()
    want = np.mean([lexicon.count(texts) > 0 for texts in captions], axis=0)
    np.testing.assert_array_equal(object_frequency(data, lexicon), want)
    labels = label_frequency(data)
    assert list(labels) == ['airport', 'pond', 'quarry', 'residential area']
    assert sum(labels.values()) == pytest.approx(1)
    # numbers 1, 4, .. 19 of the captioned set and three of the labelled one are ponds, of 26 images
    assert labels['pond'] == pytest.approx((7 + 3) / 26)


@TRANSFORMS.register_module(force=True)
class NotePlace:
    """The item's id and captions, and what was drawn for it."""

    def __call__(self, results):
        return dict(drawn=torch.tensor([results['image_id'], len(results['captions']), np.random.randint(10**9)]))


def drawn(dataset, epoch, workers=0):
    dataset.seed_epoch(5, epoch)
    loader = torch.utils.data.DataLoader(dataset, batch_size=3, num_workers=workers)
    return torch.cat([batch['drawn'] for batch in loader])


def test_random_choices_depend_on_seed_epoch_and_position_alone(captioned, labelled):
    pipeline = [dict(type='NotePlace')]
    parts = [dict(captioned, pipeline=pipeline), dict(labelled, pipeline=pipeline)]
    data = MixedDataset(datasets=parts, caption_fraction=0.1, ratio=0.5)
    first = drawn(data, epoch=1)
    assert torch.equal(first, drawn(data, epoch=1, workers=2))  # and the same in a run that was resumed in epoch 1
    assert torch.equal(first, drawn(MixedDataset(datasets=parts, caption_fraction=0.1, ratio=0.5), epoch=1))
    assert len(set(first[:, 2].tolist())) == len(first) == 30  # two images shown ten times each, always drawn anew
    assert not (drawn(data, epoch=2)[:, 2] == first[:, 2]).any()
    assert first[:, 1].tolist() == [5] * TRAIN + [0] * 10


@pytest.mark.parametrize(
    ('options', 'error', 'sentence'),
    [
        (dict(), ConfigError, 'give either dataset, one config, or datasets'),
        (dict(dataset='captioned', caption_fraction=0), ConfigError, 'caption_fraction must be a number above 0'),
        (dict(dataset='captioned', others='dropped'), ConfigError, "others must be one of 'labelled', 'left_out'"),
        (dict(dataset='labelled'), DataError, 'no image has captions; name a captioned set'),
        (dict(dataset='captioned', ratio=1.0), DataError, 'no image has labels alone; name a LabelledImageDataset'),
        (
            dict(dataset='bare', caption_fraction=0.3),
            DataError,
            'none of the 14 images without captions of RSICD has la',
        ),
        (dict(dataset='wrapped'), ConfigError, 'RepeatDataset is no data set of this package; name its parts'),
    ],
)
def test_misuse_is_one_sentence(captioned, labelled, options, error, sentence):
    bare = {key: value for key, value in captioned.items() if key != 'labels'}
    known = dict(captioned=captioned, labelled=labelled, bare=bare)
    known['wrapped'] = dict(type='RepeatDataset', times=2, dataset=captioned)
    options = {key: known.get(value, value) if isinstance(value, str) else value for key, value in options.items()}
    with pytest.raises(error, match=sentence):
        MixedDataset(**options)


def test_objects_that_few_labelled_images_show_can_be_repeated(labelled):
    """mmengine's ClassBalancedDataset asks for categories."""
    data = LabelledImageDataset(**{key: value for key, value in labelled.items() if key != 'type'})
    assert [data.get_cat_ids(i) for i in range(6)] == [[0]] * 3 + [[1]] * 3
