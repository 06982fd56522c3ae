"""Input pipelines and feature extraction, on a few small files."""

import cv2
import numpy as np
import open_clip
import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.benchmarks import feature_extraction, input_pipeline
from osdpm_plugin.lab.benchmarks.bare_loop import BareLoop
from osdpm_plugin.lab.benchmarks.photos import photo, write_photos
from tests.helpers.paths import ROOT
from tests.helpers.tiny_models import CLIP, EMBED_DIM

import osdpm_plugin  # noqa: F401  isort: skip (registers)


def test_photos_weigh_what_photographs_do(tmp_path):
    """About 25 kB at 256 px; the same seed draws the same picture."""
    size = write_photos(tmp_path, 3, num_val=1)
    assert 12_000 < size < 50_000
    np.testing.assert_array_equal(photo(1, 64), photo(1, 64))
    assert not np.array_equal(photo(1, 64), photo(2, 64)) and photo(1, 64).std() > 20
    assert cv2.imread(str(tmp_path / 'images' / '3.jpg')).shape == (256, 256, 3)


def test_every_loader_delivers_every_image_at_one_size(tmp_path):
    cfg = Config.fromfile(ROOT / input_pipeline.CONFIG)
    root = tmp_path / 'photos'
    write_photos(root, 8)
    options = input_pipeline.loader_options(count=8, batch_size=4, workers=0)
    loaders = dict(
        ours=input_pipeline.our_loader(cfg, root, options),
        kept=input_pipeline.our_loader(input_pipeline.decoded_once(cfg, tmp_path / 'kept'), root, options),
        mmpretrain=input_pipeline.mmpretrain_loader(root, options),
        torchvision=input_pipeline.torchvision_loader(root, options),
    )
    found = {name: list(input_pipeline.epoch(loader, 0)) for name, loader in loaders.items()}
    for name, batches in found.items():
        assert [tuple(batch.shape) for batch in batches] == [(4, 3, 224, 224)] * 2, name
    assert all(batch.dtype == torch.uint8 for name in ('ours', 'kept', 'mmpretrain') for batch in found[name])
    torch.testing.assert_close(found['ours'], found['kept'], rtol=0, atol=0)  # the same epoch, draws and pixels
    assert len(list((tmp_path / 'kept').iterdir())) == 8
    again = list(input_pipeline.epoch(loaders['kept'], 0))  # read, not decoded
    torch.testing.assert_close(again, found['kept'], rtol=0, atol=0)


def test_each_pass_is_an_epoch_of_its_own(tmp_path):
    """Order, crops and captions change from pass to pass, and are those of the epoch of that number."""
    cfg = Config.fromfile(ROOT / input_pipeline.CONFIG)
    write_photos(tmp_path, 8)
    loader = input_pipeline.our_loader(cfg, tmp_path, input_pipeline.loader_options(count=8, batch_size=8, workers=0))
    passed, seen = [], loader.collate_fn

    def collate(items):
        passed.append([(item['data_samples'].image_id, item['data_samples'].tokens.tolist()) for item in items])
        return seen(items)

    loader.collate_fn = collate
    read = input_pipeline.passes(loader)
    assert [read(), read(), read()] == [8, 8, 8]
    orders = [[image for image, _ in epoch] for epoch in passed]
    assert orders[0] != orders[1] != orders[2] and all(sorted(order) == sorted(orders[0]) for order in orders)
    assert sorted(passed[0]) != sorted(passed[1]) != sorted(passed[2])  # other captions
    (second,) = input_pipeline.epoch(loader, 1)
    assert passed[3] == passed[1]
    (first,) = input_pipeline.epoch(loader, 0)
    assert not torch.equal(first, second)


def test_share_of_captions_remembered_by_hand():
    """One worker, five captions: nothing at first, 1/5 in the second epoch, 1 - 16/25 in the third."""
    assert [input_pipeline.remembered(n, 1) for n in range(3)] == pytest.approx([0, 0.2, 0.36])
    assert input_pipeline.remembered(1, 0) == pytest.approx(0.2)
    assert input_pipeline.remembered(1, 2) == pytest.approx(0.1)


def test_rows_of_the_input(tmp_path):
    cfg = Config.fromfile(ROOT / input_pipeline.CONFIG)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        rows = input_pipeline.compare_pipelines(cfg, tmp_path, repeats=2, count=4, batch_size=2, workers=0)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(threads)
    assert [(row['ours'], row['theirs']) for row in rows] == [
        (ours, theirs)
        for ours in ('train_pipeline', 'the same, decoded once')
        for theirs in ('mmpretrain', 'torchvision')
    ]
    assert (
        list(rows[0]['steps_ms'])[0] == 'LoadRemoteSensingImage' and list(rows[2]['steps_ms'])[0] == 'LoadDecodedImage'
    )
    assert rows[0]['captions_remembered'] == pytest.approx([0.2, 0.36])
    assert all(row['goal'] == '>= 1.5' and min(row['images_per_second'].values()) > 0 for row in rows)


def test_a_pass_is_whole_batches():
    with pytest.raises(ConfigError, match='multiple of'):
        input_pipeline.loader_options(count=10, batch_size=4, workers=0)


@pytest.fixture
def small():
    """The config with tiny towers and a neck that hands on the image tower's own vector."""
    cfg = Config.fromfile(ROOT / feature_extraction.CONFIG)
    for name in ('image_tower', 'text_tower'):
        cfg.model[name].update(model=CLIP)
    cfg.model.neck.update(in_channels=(64,), embed_dims=EMBED_DIM)
    cfg.model.text_neck.embed_dims = EMBED_DIM
    cfg.test_dataloader.dataset.pipeline[1].scale = cfg.test_dataloader.dataset.pipeline[2].crop_size = 32
    return cfg


def test_rows_of_the_extraction(small, tmp_path):
    rates = dict(fp32_flops=1e9, bf16_flops=2e9)
    rows = feature_extraction.compare_extraction(small, tmp_path, repeats=2, count=6, batch_size=4, rates=rates)
    assert [(row['ours'][-4:], row['theirs'][-4:], row['goal']) for row in rows] == [
        ('fp32', 'fp32', '>= 4'),
        ('bf16', 'bf16', '>= 4'),
        ('bf16', 'fp32', None),
    ]
    assert rows[1]['seconds']['ours'] == rows[2]['seconds']['ours'] != rows[0]['seconds']['ours']
    assert rows[0]['seconds']['theirs'] == rows[2]['seconds']['theirs'] != rows[1]['seconds']['theirs']
    assert rows[0]['floor_s'] == rows[0]['flops'] / 1e9 and rows[1]['floor_s'] == rows[1]['flops'] / 2e9
    assert all(row['flops'] > 0 and row['share_of_peak']['median'] > 0 for row in rows)
    assert all(row['images_per_second'] > 0 for row in rows)


@pytest.mark.parametrize('precision, atol', [('fp32', 1e-5), ('bf16', 3e-2)])
def test_both_extractions_give_the_same_vectors(small, tmp_path, precision, atol):
    """The image tower with open_clip's weights and the neck's gate at zero: files of the tower's own size."""
    write_photos(tmp_path, 6, size=32)
    paths = [str(tmp_path / 'images' / f'{i}.jpg') for i in range(6)]
    encoder = feature_extraction.our_encoder(small, precision, 'cpu')
    bare = BareLoop(model=CLIP, optimizer=dict(lr=1e-4), precision='fp32', device='cpu').model.eval()
    tower = encoder.model.image_tower
    tower.visual.load_state_dict(bare.visual.state_dict())
    preprocess = open_clip.image_transform(tower.image_size, is_train=False)
    theirs = feature_extraction.one_by_one(bare, preprocess, 'cpu', precision, paths)
    ours = feature_extraction.archive_path(encoder, 4, paths)
    assert ours.shape == theirs.shape == (6, EMBED_DIM) and np.ptp(theirs, axis=0).max() > 1e-2
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(ours, theirs, atol=atol)
    np.testing.assert_allclose(feature_extraction.archive_path(encoder, 1, paths), ours, atol=atol)
