"""The test pipeline of the configs with CLIP towers gives the pixels of open_clip's own transform, to the last bit."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from open_clip.transform import image_transform
from PIL import Image

CLIP = ['configs/osdpm_rsitmd.py', 'configs/osdpm_ucm.py', 'configs/regimes/vitl14_frozen_rsicd.py']
SIZES = [(256, 256), (512, 512), (1024, 1024), (224, 224), (150, 150), (300, 401), (401, 300), (225, 227), (1000, 233)]
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(3, 1, 1)
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(3, 1, 1)


def pixel_steps(config, name='test_dataloader'):
    """The steps of a config that concern pixels."""
    steps = Config.fromfile(config)[name].dataset.pipeline
    return [
        s for s in steps if s.type not in ('CountObjects', 'SampleCaptions', 'TokenizeCaptions', 'PackRetrievalInputs')
    ]


def noise(size):
    return np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize('size', SIZES, ids=str)
@pytest.mark.parametrize('config', CLIP)
def test_as_open_clip(tmp_path, config, size):
    """Pillow's bicubic with antialias, the short edge to 224, the centre: a difference of 0.0 after normalisation."""
    image = Image.fromarray(noise(size))
    image.save(tmp_path / 'a.png')
    ours = Compose(pixel_steps(config))(dict(img_path=str(tmp_path / 'a.png')))['img']
    assert ours.shape == (224, 224, 3) and ours.dtype == np.uint8
    ours = torch.from_numpy(np.ascontiguousarray(ours[..., ::-1].transpose(2, 0, 1)))
    theirs = image_transform(224, is_train=False)(image)
    assert float(((ours / 255 - MEAN) / STD - theirs).abs().max()) == 0.0


@pytest.mark.parametrize('size', [(512, 512), (300, 401)], ids=str)
def test_squeezed_as_open_clip_squeezes(tmp_path, size):
    """The other choice that the config names: the whole image, both edges to 224."""
    image = Image.fromarray(noise(size))
    image.save(tmp_path / 'a.png')
    resize = dict(type='Resize', scale=(224, 224), interpolation='bicubic', backend='pillow')
    ours = Compose([dict(type='LoadRemoteSensingImage'), resize])(dict(img_path=str(tmp_path / 'a.png')))['img']
    theirs = image_transform(224, is_train=False, resize_mode='squash')(image)
    ours = torch.from_numpy(np.ascontiguousarray(ours[..., ::-1].transpose(2, 0, 1)))
    assert float(((ours / 255 - MEAN) / STD - theirs).abs().max()) == 0.0


def test_training_crops_have_the_same_antialias(tmp_path):
    """Fine stripes of 1024 px become grey, as they do where nothing is cropped; without an antialias they stay."""
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / 'a.png')
    for name in ('train_dataloader', 'test_dataloader'):
        steps = [dict(s) for s in pixel_steps(CLIP[0], name)]
        for step in steps:
            if step['type'] == 'mmpretrain.RandomResizedCrop':
                step['crop_ratio_range'] = (1.0, 1.0)
        seen = Compose(steps)(dict(img_path=str(tmp_path / 'a.png')))['img'][8:-8, 8:-8].astype(float)
        assert abs(seen.mean() - 127.5) < 1 and seen.std() < 10


def test_image_net_towers_are_as_they_were():
    """Their published numbers were made with OpenCV's bicubic and squeezed images."""
    for config in ('configs/osdpm_ucm_resnet50_minilm.py', 'configs/mixing/osdpm_swin_bert_rsitmd.py'):
        (resize,) = [s for s in pixel_steps(config) if 'Resize' in s.type]
        assert resize == dict(type='Resize', scale=(224, 224), interpolation='bicubic')
