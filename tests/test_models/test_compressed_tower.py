"""Principal components against NumPy's SVD; a compressed tower against its steps by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.backbones.compressed_tower import CompressedTower, PrincipalComponents
from osdpm_plugin.models.retrievers.dihedral import turned

TOWER = dict(type='mmpretrain.ResNet', depth=18, base_channels=4, out_indices=(2, 3))


def build(**options):
    torch.manual_seed(0)
    options = {**dict(in_channels=(16, 32), channels=(3, 4), pooled_channels=5), **options}
    return CompressedTower(tower=TOWER, **options)


def images(count, seed=0):
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('rows', [40, 6], ids=['more rows than channels', 'fewer rows than channels'])
def test_components_equal_the_svd(rows):
    x = np.random.default_rng(0).normal(size=(rows, 8)) * np.arange(8, 0, -1) + 3
    part = PrincipalComponents(in_channels=8, channels=3)
    share = part.fit(torch.from_numpy(x))
    centred = x - x.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    variances = singular**2 / (rows - 1)
    assert share == pytest.approx(variances[:3].sum() / variances.sum(), rel=1e-6)
    want = centred @ directions[:3].T / np.sqrt(variances[:3].mean())
    got = part(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(np.abs(got), np.abs(want), rtol=1e-3, atol=1e-4)  # signs are free
    np.testing.assert_allclose(got.var(axis=0, ddof=1).mean(), 1, rtol=1e-4)


def test_forward_equals_its_steps():
    tower = build()
    tower.fit([images(8), images(8, seed=1)])
    x = images(2, seed=2)
    out = tower(x)
    fine, coarse = tower.tower(x)
    for got, m, part in (
        (out.maps[0], F.adaptive_avg_pool2d(fine, coarse.shape[-2:]), tower.of_maps[0]),
        (out.maps[1], coarse, tower.of_maps[1]),
    ):
        for i in range(m.shape[-2]):
            for j in range(m.shape[-1]):
                want = (m[:, :, i, j].sqrt() - part.mean) @ part.basis / part.scale
                torch.testing.assert_close(got[:, :, i, j], want)
    pooled = F.layer_norm(torch.cat([coarse.mean(dim=(2, 3)), coarse.amax(dim=(2, 3))], dim=1), (64,))
    torch.testing.assert_close(out.pooled, tower.of_pooled(pooled))
    assert out.maps[0].shape == (2, 3, 2, 2) and out.pooled.shape == (2, 5)


def test_it_is_frozen_and_its_state_says_all(tmp_path):
    tower = build().train()
    tower.fit([images(16)])
    assert not any(p.requires_grad for p in tower.parameters()) and not any(m.training for m in tower.modules())
    torch.save(tower.state_dict(), tmp_path / 'tower.pth')
    other = build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'tower.pth')))
    torch.nn.init.zeros_(other.tower.conv1.weight)
    other.init_weights()
    torch.testing.assert_close(other(images(1)).pooled, tower(images(1)).pooled, rtol=0, atol=0)


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: build()(images(1)), 'its components are not fitted; run tools/fit_compression.py'),
        (lambda: build().fit([images(3)]), '3 rows cannot fix 5 components; give more images'),
        (lambda: build(channels=(3,)), 'must be of one length'),
        (lambda: build(channels=(17, 4)), '17 components of 16 channels cannot be kept'),
        (lambda: build(in_channels=(16, 33)).fit([images(2)]), r'\[16, 33\], but the tower gives \[16, 32\]'),
    ],
)
def test_errors(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_turns_are_the_eight_different_ones():
    image = torch.arange(4.0).view(1, 1, 2, 2)  # 0 1 / 2 3
    want = {0: [0, 1, 2, 3], 1: [1, 0, 3, 2], 2: [1, 3, 0, 2], 3: [0, 2, 1, 3]}
    for turn, cells in want.items():
        assert turned(image, turn).flatten().tolist() == cells
    assert len({tuple(turned(image, t).flatten().tolist()) for t in range(8)}) == 8
