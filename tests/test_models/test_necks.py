"""Necks against naive loops and hand-worked cases."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.necks import DAPN, GlobalNeck, TextProjection
from osdpm_plugin.models.necks.object_saliency import ObjectSaliencyAttention, window_mean
from osdpm_plugin.models.necks.spatial_channel_attention import SpatialChannelCooperativeAttention
from osdpm_plugin.structures import ImageFeatures, TextFeatures, as_image_features


def clip_features(batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    m = torch.randn(batch, 24, 4, 4, generator=generator)
    return ImageFeatures(maps=(m,), pooled=torch.randn(batch, 16, generator=generator))


def naive_window_mean(x, window):
    """Mean over the neighbours that exist, position by position."""
    out, r = torch.zeros_like(x), window // 2
    for i in range(x.shape[-2]):
        for j in range(x.shape[-1]):
            out[..., i, j] = x[..., max(0, i - r) : i + r + 1, max(0, j - r) : j + r + 1].mean(dim=(-2, -1))
    return out


@pytest.mark.parametrize('window', [1, 3, 5, 7])
@pytest.mark.parametrize('size', [(1, 1), (2, 5), (7, 7)])
def test_window_mean_equals_the_naive_loop(window, size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(window_mean(x, window), naive_window_mean(x, window))


def test_saliency_equals_the_naive_loops():
    torch.manual_seed(0)
    options = dict(scales=(1, 3), num_queries=2, object_channels=4)
    attention = ObjectSaliencyAttention(channels=6, global_channels=5, **options).double()
    x, g = torch.randn(2, 6, 3, 4, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    out = attention(x, g)
    for b in range(2):
        layer = attention.key_value
        key, value = (torch.einsum('ec,chw->ehw', layer.weight, x[b]) + layer.bias[:, None, None]).chunk(2)
        weights = attention.scale(g[b]).softmax(0)
        want_objects, want_saliency = [], torch.zeros(3, 4, dtype=torch.float64)
        for index, (w, s) in enumerate(zip(weights, (1, 3))):
            keys, values = naive_window_mean(key, s), naive_window_mean(value, s)
            for query in attention.queries[index]:
                m = torch.zeros(3, 4, dtype=torch.float64)
                for i in range(3):
                    for j in range(4):
                        cosine = F.cosine_similarity(query, keys[:, i, j], dim=0)
                        m[i, j] = (cosine / attention.log_temperature.exp()).exp()
                m = m / m.sum()
                want_saliency += w * m / 2
                parts = [m[i, j] * values[:, i, j] for i in range(3) for j in range(4)]
                want_objects.append(2 * w * torch.stack(parts).sum(0))
        torch.testing.assert_close(out.objects[b], torch.cat(want_objects))
        torch.testing.assert_close(out.saliency[b], want_saliency)
    assert attention.out_channels == out.objects.shape[1] == 2 * 2 * 4
    torch.testing.assert_close(out.scale_saliency.sum(dim=(2, 3)), torch.ones(2, 2, dtype=torch.float64))
    torch.testing.assert_close(out.scale_weights.sum(1), torch.ones(2, dtype=torch.float64))


def test_saliency_finds_the_planted_object():
    """Identity key: the one cell that points along the query takes nearly all the saliency."""
    attention = ObjectSaliencyAttention(channels=4, global_channels=4, scales=(1,), num_queries=1, object_channels=4)
    nn.init.zeros_(attention.key_value.bias)
    attention.key_value.weight.data[:4] = torch.eye(4)
    attention.queries.data.fill_(1.0)
    x = -torch.ones(1, 4, 5, 5)
    x[0, :, 1, 3] = 1.0
    saliency = attention(x, torch.ones(1, 4)).saliency[0]
    assert saliency[1, 3].item() == pytest.approx(1 / (1 + 24 * math.exp(-20)), abs=1e-6)


def test_cooperative_attention_equals_its_formula_and_is_really_mutual():
    torch.manual_seed(0)
    attention = SpatialChannelCooperativeAttention(channels=16).double()
    x = torch.randn(2, 16, 5, 5, dtype=torch.float64)

    def spatial(y):
        return attention.spatial(torch.stack([y.mean(1), y.max(1).values], dim=1))

    c0 = attention.channel(x.mean(dim=(2, 3)))[:, :, None, None]
    s0 = spatial(x)
    c = attention.channel((x * s0).sum(dim=(2, 3)) / s0.sum(dim=(2, 3)))[:, :, None, None]
    s = spatial(c0 * x)
    torch.testing.assert_close(attention(x), x + x * c * s)
    assert not torch.allclose(c, c0) and not torch.allclose(s, s0)


def test_dapn_is_a_no_op_at_first():
    features = clip_features()
    for options in (dict(), dict(adapter=True)):
        neck = DAPN(in_channels=(24,), embed_dims=16, channels=32, **options).eval()
        torch.testing.assert_close(neck(features).embedding, F.normalize(features.pooled, dim=1), rtol=0, atol=0)


def test_dapn_departs_when_its_gate_opens():
    torch.manual_seed(0)
    features = clip_features()
    neck = DAPN(in_channels=(24,), embed_dims=16, channels=32, gate_init=0.5).eval()
    attended = neck.attend(features, features.pooled)
    want = F.normalize(features.pooled + math.tanh(0.5) * neck.output(attended.objects), dim=1)
    out = neck(features)
    torch.testing.assert_close(out.embedding, want)
    torch.testing.assert_close(out.saliency.sum(dim=(1, 2)), torch.ones(3))
    assert out.saliency.shape == (3, 4, 4) and out.scale_weights.shape == (3, 2)


def test_drop_path_leaves_the_attended_vector_out_in_training_alone():
    torch.manual_seed(0)
    features = clip_features(batch=400)
    neck = DAPN(in_channels=(24,), embed_dims=16, channels=32, gate_init=0.5, dropout=0.0, drop_path=0.25)
    branch = math.tanh(0.5) * neck.output(neck.attend(features, features.pooled).objects)
    without, kept = (F.normalize(features.pooled + share * branch, dim=1) for share in (0, 1 / 0.75))
    out = neck(features).embedding
    dropped = (out - without).abs().amax(dim=1) < 1e-6
    torch.testing.assert_close(out[~dropped], kept[~dropped])
    assert 70 <= dropped.sum() <= 130  # 100 expected, standard deviation 8.7
    torch.testing.assert_close(neck.eval()(features).embedding, F.normalize(features.pooled + branch, dim=1))
    for key in ('drop_path', 'object_dropout'):
        with pytest.raises(ConfigError, match=f'DAPN: {key} must be'):
            DAPN(in_channels=(24,), embed_dims=16, **{key: 1.0})


def test_object_dropout_is_its_own():
    for options, want in ((dict(), 0.2), (dict(object_dropout=0.6), 0.6)):
        neck = DAPN(in_channels=(24,), embed_dims=16, pooled_channels=8, dropout=0.2, **options)
        assert neck.output[1].p == want and neck.global_neck.projection[3].p == 0.2


def test_images_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    features = clip_features(batch=4)
    neck = DAPN(in_channels=(24,), embed_dims=16, channels=32, gate_init=0.5).eval()
    for i, embedding in enumerate(neck(features).embedding):
        alone = ImageFeatures((features.maps[0][[i]],), features.pooled[[i]])
        torch.testing.assert_close(neck(alone).embedding[0], embedding)


@pytest.mark.parametrize(
    'neck',
    [
        DAPN(in_channels=(12, 24), embed_dims=16, pool_channels=24, channels=32, gate_init=0.5),
        GlobalNeck(embed_dims=16, in_channels=24),
    ],
    ids=['DAPN', 'GlobalNeck'],
)
def test_maps_of_any_backbone_and_every_parameter_gets_a_gradient(neck):
    """OpenMMLab's convention: a tuple of maps of different sizes; the last entry of the output is the embedding."""
    torch.manual_seed(0)
    maps = (torch.randn(3, 12, 8, 6), torch.randn(3, 24, 4, 3))
    out = neck.eval()(maps)
    torch.testing.assert_close(out[-1].norm(dim=1), torch.ones(3))
    (out[-1] * torch.randn(3, 16)).sum().backward()
    without = [name for name, p in neck.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


@pytest.mark.parametrize('neck_type', [DAPN, GlobalNeck])
def test_a_pooled_vector_of_another_space_is_projected(neck_type):
    torch.manual_seed(0)
    options = dict(in_channels=(24,), channels=32, gate_init=0.5) if neck_type is DAPN else {}
    neck = neck_type(embed_dims=8, pooled_channels=16, **options).eval()
    features = clip_features()
    out = neck(features).embedding
    assert out.shape == (3, 8)
    out[:, 0].sum().backward()
    assert [name for name, p in neck.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    if neck_type is GlobalNeck:
        torch.testing.assert_close(out, F.normalize(neck.projection(features.pooled), dim=1))
        with pytest.raises(ConfigError, match='set one'):
            GlobalNeck(embed_dims=8, in_channels=24, pooled_channels=16)
    with pytest.raises(ConfigError, match='pooled vector of 16 values, but the tower gives none'):
        neck(features._replace(pooled=None))


def test_gradients_are_right():
    torch.manual_seed(0)
    options = dict(in_channels=(5,), embed_dims=4, pool_channels=5, channels=6, gate_init=0.3, hidden_channels=7)
    neck = DAPN(scales=(1, 3), **options).double().eval()
    x = torch.randn(2, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: neck((m,)).embedding, (x,))


def test_global_neck_by_hand():
    """Without projection the pooled vector (3, 4) becomes (0.6, 0.8)."""
    out = GlobalNeck(embed_dims=2)(ImageFeatures((torch.zeros(1, 3, 2, 2),), torch.tensor([[3.0, 4.0]])))
    torch.testing.assert_close(out.embedding, torch.tensor([[0.6, 0.8]]))
    assert out.saliency is None
    seen = []
    neck = GlobalNeck(embed_dims=2, in_channels=1)
    neck.projection = nn.Sequential(nn.Identity())
    neck.projection.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    neck((torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]),))
    torch.testing.assert_close(seen[0], torch.tensor([[3.0, 6.0]]))  # mean and maximum


def test_text_projection():
    features = TextFeatures(torch.zeros(2, 3, 8), torch.ones(2, 3, dtype=torch.bool), torch.randn(2, 8))
    for adapter in (False, True):
        got = TextProjection(embed_dims=8, adapter=adapter)(features)
        torch.testing.assert_close(got, F.normalize(features.pooled, dim=1))
    projected = TextProjection(embed_dims=4, in_channels=8)(features)
    torch.testing.assert_close(projected.norm(dim=1), torch.ones(2))
    assert projected.shape == (2, 4)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: DAPN(in_channels=(24,), embed_dims=16, scales=(1, 2)), 'scales must be different odd numbers'),
        (lambda: DAPN(in_channels=(24,), embed_dims=16, scales=()), 'scales'),
        (lambda: GlobalNeck(embed_dims=16, in_channels=24, adapter=True), 'adapter=True is for vectors'),
        (lambda: DAPN(in_channels=(24,), embed_dims=8)(clip_features()), 'of 8 values, but the tower gives 16'),
        (lambda: DAPN(in_channels=(24,), embed_dims=16)(clip_features().maps), 'the tower gives none'),
        (lambda: DAPN(in_channels=(12, 24), embed_dims=16)(clip_features()), r'\[12, 24\], but the image tower gives'),
    ],
)
def test_misfits_are_named(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_towers_without_maps_are_refused():
    with pytest.raises(TypeError, match='out_type="featmap"'):
        as_image_features((torch.zeros(2, 768),))
    assert as_image_features(torch.zeros(2, 3, 4, 4)).maps[0].shape == (2, 3, 4, 4)
