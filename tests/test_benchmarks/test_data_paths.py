"""Input pipelines and feature extraction, on a few small files."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.benchmarks import feature_extraction, input_pipeline
from osdpm_plugin.benchmarks.photos import photo, write_photos
from osdpm_plugin.errors import ConfigError
from tests.shrunk_configs import ROOT
from tests.test_models.tiny import CLIP, EMBED_DIM

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
    shape = input_pipeline.Shape(count=8, batch_size=4, workers=0)
    loaders = dict(
        ours=input_pipeline.our_loader(cfg, root, shape),
        kept=input_pipeline.our_loader(input_pipeline.decoded_once(cfg, tmp_path / 'kept'), root, shape),
        mmpretrain=input_pipeline.mmpretrain_loader(root, shape),
        torchvision=input_pipeline.torchvision_loader(root, shape),
    )
    found = {name: list(map(input_pipeline.images_of, loader)) for name, loader in loaders.items()}
    for name, batches in found.items():
        assert [tuple(batch.shape) for batch in batches] == [(4, 3, 224, 224)] * 2, name
    assert all(batch.dtype == torch.uint8 for name in ('ours', 'kept', 'mmpretrain') for batch in found[name])
    torch.testing.assert_close(found['ours'], found['kept'], rtol=0, atol=0)  # the same epoch, draws and pixels
    assert len(list((tmp_path / 'kept').iterdir())) == 8
    again = list(map(input_pipeline.images_of, loaders['kept']))  # read, not decoded
    assert [tuple(batch.shape) for batch in again] == [(4, 3, 224, 224)] * 2


def test_rows_of_the_input(tmp_path):
    cfg = Config.fromfile(ROOT / input_pipeline.CONFIG)
    rows = list(input_pipeline.compare_pipelines(cfg, tmp_path, repeats=1, count=4, batch_size=2, workers=0))
    assert [(row['ours'], row['theirs']) for row in rows] == [
        (ours, theirs)
        for ours in ('train_pipeline', 'the same, decoded once')
        for theirs in ('mmpretrain', 'torchvision')
    ]
    assert list(rows[0]['steps_ms'])[0] == 'LoadImageFromFile' and list(rows[2]['steps_ms'])[0] == 'LoadDecodedImage'
    assert all(row['goal'] == '>= 1.5' and min(row['images_per_second'].values()) > 0 for row in rows)


def test_a_pass_is_whole_batches():
    with pytest.raises(ConfigError, match='multiple of'):
        input_pipeline.Shape(count=10, batch_size=4, workers=0)


def test_both_extractions_give_unit_vectors_of_every_file(tmp_path):
    cfg = Config.fromfile(ROOT / feature_extraction.CONFIG)
    for name in ('image_tower', 'text_tower'):
        cfg.model[name].update(model=CLIP)
    cfg.model.neck.update(in_channels=(64,), embed_dims=EMBED_DIM)
    cfg.model.text_neck.embed_dims = EMBED_DIM
    cfg.test_dataloader.dataset.pipeline[1].scale = (32, 32)
    row = feature_extraction.compare_extraction(
        cfg, tmp_path, repeats=1, count=6, batch_size=4, rates=dict(fp32_flops=1e9)
    )
    assert row['goal'] == '>= 4' and row['flops'] > 0 and row['floor_s'] == row['flops'] / 1e9
    assert row['share_of_peak']['median'] > 0 and row['images_per_second'] > 0
    model = feature_extraction.training_model(cfg, 'cpu').eval()
    paths = [str(tmp_path / 'images' / f'{i}.jpg') for i in range(6)]
    vectors = feature_extraction.archive_path(cfg, model, 4)(paths)
    assert vectors.shape == (6, EMBED_DIM)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(feature_extraction.archive_path(cfg, model, 1)(paths), vectors, atol=1e-5)
