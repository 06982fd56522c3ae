"""GaLR's branches, fusion and regions against loops and by hand, and its size against the published one."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.galr.dynamic_fusion import MultiLevelDynamicFusion
from osdpm_plugin.models.comparison.galr.global_local_neck import GlobalLocalNeck
from osdpm_plugin.models.comparison.galr.local_graph import RegionGraph, denoise, enhanced_adjacency
from osdpm_plugin.models.comparison.galr.salient_windows import pairwise_iou, salient_windows, window_boxes
from osdpm_plugin.structures import ImageFeatures, Regions
from tests.helpers.comparison_models import comparison_model, count
from tests.test_models.test_comparison.test_amfmn import ORIGINAL_TEXT, without_text


def some_regions(counts=(3, 1), length=3, num_labels=4, seed=0, features=None):
    """Random boxes; padding holds values that would be noticed."""
    generator = torch.Generator().manual_seed(seed)
    b = len(counts)
    mask = torch.arange(length) < torch.tensor(counts)[:, None]
    low = 0.6 * torch.rand(b, length, 2, generator=generator, dtype=torch.float64)
    size = 0.1 + 0.3 * torch.rand(b, length, 2, generator=generator, dtype=torch.float64)
    boxes = torch.cat([low, low + size], dim=-1).masked_fill(~mask[..., None], 9.0)
    scores = torch.rand(b, length, generator=generator, dtype=torch.float64).masked_fill(~mask, 9.0)
    labels = torch.randint(num_labels, (b, length), generator=generator).masked_fill(~mask, 10**6)
    if features is not None:
        features = torch.randn(b, length, features, generator=generator, dtype=torch.float64)
        features = features.masked_fill(~mask[..., None], float('nan'))
    return Regions(boxes=boxes, scores=scores, mask=mask, labels=labels, features=features)


def test_window_boxes_by_hand():
    boxes = window_boxes((2, 3), (1, 2), torch.device('cpu'))
    assert len(boxes) == 6 + 2
    assert boxes[1].tolist() == pytest.approx([1 / 3, 0, 2 / 3, 0.5])
    assert boxes[7].tolist() == pytest.approx([1 / 3, 0, 1, 1])


def test_iou_by_hand():
    """Unit square; its left half (1/2); a square of edge 1/2 in the right half that touches the left; equal boxes."""
    boxes = torch.tensor([[0, 0, 1, 1], [0, 0, 0.5, 1], [0.5, 0, 1, 0.5], [0, 0, 1, 1]])
    want = [[1, 0.5, 0.25, 1], [0.5, 1, 0, 0.5], [0.25, 0, 1, 0.25], [1, 0.5, 0.25, 1]]
    torch.testing.assert_close(pairwise_iou(boxes), torch.tensor(want))


def naive_windows(x, num, edges, max_overlap):
    """One image: boxes, ratings and features of the greedy choice."""
    strength = x.norm(dim=0)
    h, w = strength.shape
    mean, deviation = strength.mean(), strength.std(correction=0) + 1e-6
    found = []
    for e in edges:
        for i in range(h - e + 1):
            for j in range(w - e + 1):
                cells = strength[i : i + e, j : j + e]
                rating = e * (cells.mean() - mean) / deviation
                found.append((rating.item(), (j / w, i / h, (j + e) / w, (i + e) / h), x[:, i : i + e, j : j + e]))
    found.sort(key=lambda f: -f[0])
    chosen = []
    for f in found:
        boxes = torch.tensor([f[1], *(c[1] for c in chosen)])
        if (pairwise_iou(boxes)[0, 1:] <= max_overlap).all():
            chosen.append(f)
    return chosen[:num]


@pytest.mark.parametrize('num', [1, 4, 60])
def test_salient_windows_equal_the_loops(num):
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    found = salient_windows(x, num=num)
    for b in range(2):
        want = naive_windows(x[b], num, (1, 2, 3), 0.5)
        assert int(found.mask[b].sum()) == len(want) <= num
        for r, (rating, box, cells) in enumerate(want):
            assert found.boxes[b, r].tolist() == pytest.approx(box)
            assert found.scores[b, r].item() == pytest.approx(1 / (1 + math.exp(-rating)), rel=1e-4)
            torch.testing.assert_close(found.features[b, r], cells.mean(dim=(1, 2)))
        assert (found.features[b, len(want) :] == 0).all() and (found.boxes[b, len(want) :] == 0).all()


def test_salient_windows_find_the_planted_object():
    """A 2 x 2 block of strong cells in a weak map is one window of edge 2, not four of edge 1."""
    x = 0.1 * torch.ones(1, 4, 8, 8)
    x[0, :, 2:4, 5:7] = 3.0
    best = salient_windows(x, num=3)
    assert best.boxes[0, 0].tolist() == [5 / 8, 2 / 8, 7 / 8, 4 / 8]
    assert best.features[0, 0].tolist() == [3.0] * 4


@pytest.mark.parametrize('size', [(1, 1), (1, 3), (2, 2)])
def test_salient_windows_of_small_and_flat_maps(size):
    x = torch.ones(1, 2, *size, requires_grad=True)
    found = salient_windows(x, num=20)
    assert 1 <= int(found.mask.sum()) <= 20 and found.features.shape == (1, 20, 2)
    found.features.sum().backward()
    assert all(t.isfinite().all() for t in (found.boxes, found.scores, x.grad))


def test_denoise_by_hand():
    """The second repeats the first; the third repeats the second, which is out, and the first, which is in; the fourth
    repeats what is not there.
    """
    nodes = torch.tensor([[[1.0, 0], [2, 0.01], [3, 0.02], [0, 1], [0, 2]]])
    assert denoise(nodes, torch.ones(1, 5).bool(), 0.99).int().tolist() == [[1, 0, 0, 1, 0]]
    assert denoise(nodes, torch.tensor([[True, True, True, False, True]]), 0.99).int().tolist() == [[1, 0, 0, 0, 1]]


def test_enhanced_adjacency_by_hand():
    """Centres (0, 0) and (3/10, 4/10), reach 1/2: weight exp(-1/2) across; prominences 1 and 2: factors 3/2 and 2."""
    boxes = torch.tensor([[[-0.1, -0.1, 0.1, 0.1], [0.2, 0.3, 0.4, 0.5], [9, 9, 9, 9]]])
    mask = torch.tensor([[True, True, False]])
    got = enhanced_adjacency(boxes, torch.tensor([[1.0, 2.0, 50.0]]), mask, 0.5)[0]
    e = math.exp(-0.5)
    assert got[0].tolist() == pytest.approx([1.5 / (1.5 + 2 * e), 2 * e / (1.5 + 2 * e), 0])
    assert got[1].tolist() == pytest.approx([1.5 * e / (1.5 * e + 2), 2 / (1.5 * e + 2), 0])
    assert got[2].tolist() == [0, 0, 0]
    nothing = enhanced_adjacency(boxes, torch.ones(1, 3), torch.zeros(1, 3).bool(), 0.5)
    assert (nothing == 0).all()


def a_graph(seed=0, **options):
    torch.manual_seed(seed)
    return RegionGraph(**dict(dict(num_regions=4, num_labels=4, embed_dims=6), **options)).double()


def naive_graph(graph, boxes, scores, shares):
    """Objects of one image, in any order, without padding and repetition."""
    prominence = [s * ((b[2] - b[0]) * (b[3] - b[1])) ** 0.5 for b, s in zip(boxes.tolist(), scores.tolist())]
    order = sorted(range(len(scores)), key=lambda i: -prominence[i])
    rows = []
    for i in order:
        x1, y1, x2, y2 = boxes[i].tolist()
        rows.append([*shares[i].tolist(), (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, scores[i].item()])
    x = torch.tensor(rows).double()
    for layer in graph.layers:
        mixed = []
        for i in range(len(order)):
            total, row = 0.0, torch.zeros(x.shape[1]).double()
            for j in range(len(order)):
                squared = sum((rows[i][k] - rows[j][k]) ** 2 for k in (len(shares[0]), len(shares[0]) + 1))
                weight = math.exp(-squared / (2 * graph.reach**2)) * (1 + prominence[order[j]] / max(prominence))
                total, row = total + weight, row + weight * x[j]
            mixed.append((layer.weight @ (row / total)).relu())
        x = torch.stack(mixed)
    flat = torch.zeros(graph.output.in_features).double()
    flat[: x.numel()] = x.flatten()
    return F.normalize(graph.output(flat), dim=0)


@pytest.mark.parametrize('features', [None, 5])
def test_graph_equals_the_loops(features):
    graph, regions = a_graph(redundancy=1.0, region_channels=features), some_regions(features=features)
    with torch.no_grad():
        got = graph(regions)
        for b, n in enumerate((3, 1)):
            if features is None:
                shares = F.one_hot(regions.labels[b, :n], 4)
            else:
                shares = graph.classify(regions.features[b, :n]).softmax(dim=1)
            want = naive_graph(graph, regions.boxes[b, :n], regions.scores[b, :n], shares)
            torch.testing.assert_close(got[b], want)


@pytest.mark.parametrize('features', [None, 5])
def test_padding_company_and_order_change_nothing(features):
    graph, regions = a_graph(region_channels=features), some_regions(features=features)
    want = graph(regions)
    wider = some_regions(length=3, features=features)
    wider = Regions(*(None if t is None else torch.cat([t, t[:, :1]], dim=1) for t in wider))
    wider.mask[:, 3] = False
    torch.testing.assert_close(graph(wider), want)
    torch.testing.assert_close(graph(Regions(*(None if t is None else t[1:, :1] for t in regions))), want[1:])
    order = torch.tensor([2, 0, 1])
    shuffled = Regions(*(None if t is None else t[:, order] for t in regions))
    torch.testing.assert_close(graph(shuffled), want)


def test_repeated_objects_are_dropped():
    once = some_regions(counts=(3,))
    smaller = once.boxes.clone()
    smaller[..., 2:] -= 1e-3
    twice = Regions(*(torch.cat([a, b], dim=1) for a, b in zip(once[:4], (smaller, *once[1:4]))))
    nodes, adjacency = a_graph(num_regions=6).nodes(twice)
    assert int((nodes.abs().sum(dim=2) > 0).sum()) == 3 and int((adjacency > 0).sum()) == 9


def test_no_region_at_all():
    graph, regions = a_graph(), some_regions(counts=(0, 2))
    want = F.normalize(graph.output.bias, dim=0)
    torch.testing.assert_close(graph(regions)[0], want)


@pytest.mark.parametrize('features', [None, 5])
def test_graph_gradients(features):
    graph = a_graph(region_channels=features)
    regions = some_regions(counts=(3, 3), features=features)
    graph(regions)[:, 0].sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in graph.parameters())
    if features is not None:
        own = regions.features.requires_grad_()
        assert torch.autograd.gradcheck(lambda f: graph(regions._replace(features=f)), (own,))


def test_graph_names_what_is_missing():
    regions = some_regions()
    with pytest.raises(ConfigError, match='no labels; set region_channels'):
        a_graph()(regions._replace(labels=None))
    with pytest.raises(ConfigError, match='region_channels=5, but the regions have none features'):
        a_graph(region_channels=5)(regions)
    with pytest.raises(ConfigError, match='label 3, but num_labels=2; set it to the number of classes'):
        a_graph(num_labels=2)(regions._replace(labels=torch.full((2, 3), 3)))
    for options, sentence in ((dict(num_regions=0), 'num_regions must'), (dict(reach=0.0), 'reach must')):
        with pytest.raises(ConfigError, match=sentence):
            a_graph(**options)


def a_fusion(seed=0, **options):
    torch.manual_seed(seed)
    fusion = MultiLevelDynamicFusion(channels=8, heads=2, hidden_channels=12, **options).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
    return fusion


def naive_attention(layer, value):
    """Over one thing: the value through its part of the layer, whatever query and key are."""
    rows = layer.in_proj_weight.shape[0] // 3
    return layer.out_proj(layer.in_proj_weight[2 * rows :] @ value + layer.in_proj_bias[2 * rows :])


def naive_self(layer, x):
    x = layer.norm1(x + naive_attention(layer.self_attn, x))
    return layer.norm2(x + layer.linear2(layer.linear1(x).relu()))


def naive_guided(layer, x, guide):
    x = layer.norm1(x + naive_attention(layer.self_attn, x))
    x = layer.norm2(x + naive_attention(layer.multihead_attn, guide))
    return layer.norm3(x + layer.linear2(layer.linear1(x).relu()))


@pytest.mark.parametrize('training', [True, False])
def test_fusion_equals_its_formula(training):
    fusion = a_fusion(dropout=0.0, weight_dropout=0.0).train(training)
    overall, local = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        got = fusion(overall, local)
        for b in range(3):
            g, v = naive_self(fusion.global_attention, overall[b]), naive_self(fusion.local_attention, local[b])
            v = naive_guided(fusion.correct_local, v, g)
            g = naive_guided(fusion.supplement_global, g, v)
            corrected, supplemented = v.sigmoid() * g, g + v
            first, _, _, second = fusion.weigh
            weights = second(first(corrected + supplemented).sigmoid()).softmax(dim=0)
            torch.testing.assert_close(got.weights[b], weights)
            torch.testing.assert_close(got.vector[b], weights[0] * corrected + weights[1] * supplemented)


def test_both_weights_of_the_fusion_count():
    """Biases that give all the weight to one side: each time another vector."""
    fusion = a_fusion(dropout=0.0).eval()
    x = torch.randn(2, 2, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    vectors = []
    for bias in ([50.0, -50.0], [-50.0, 50.0]):
        fusion.weigh[-1].bias.data = torch.tensor(bias).double()
        vectors.append(fusion(*x).vector)
    assert (vectors[0] - vectors[1]).abs().max() > 0.1


def test_fusion_gradients():
    """All parameters but the queries and keys of attention over one thing."""
    fusion = a_fusion(dropout=0.0, weight_dropout=0.0)
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: fusion(a, b).vector, (x[0].requires_grad_(), x[1].requires_grad_()))
    fusion(*x.detach()).vector[:, 0].sum().backward()
    for name, p in fusion.named_parameters():
        if 'in_proj' in name:
            assert p.grad[:16].abs().max() < 1e-12 < p.grad[16:].abs().max(), name
        else:
            assert p.grad.abs().max() > 1e-9, name


def a_neck(seed=0, **options):
    torch.manual_seed(seed)
    defaults = dict(in_channels=(3, 4, 5, 6), embed_dims=8, grid=2, num_regions=4, num_labels=4, dropout=0.0)
    return GlobalLocalNeck(**dict(defaults, **options)).double()


def features_of(regions=None, batch=2):
    generator = torch.Generator().manual_seed(3)
    sizes = ((3, 16), (4, 8), (5, 4), (6, 4))
    maps = tuple(torch.randn(batch, c, s, s, generator=generator, dtype=torch.float64) for c, s in sizes)
    return ImageFeatures(maps=maps, regions=regions)


@pytest.mark.parametrize('source', ['salient', 'detected'])
def test_neck_is_its_parts(source):
    neck, features = a_neck(region_source=source).eval(), features_of(some_regions())
    out = neck(features)
    overall = neck.global_branch(features).embedding
    torch.testing.assert_close(overall.norm(dim=1), torch.ones(2).double())
    regions = salient_windows(features.maps[-1], num=4) if source == 'salient' else features.regions
    fused = neck.fusion(overall, neck.local_branch(regions))
    torch.testing.assert_close(out.embedding, F.normalize(fused.vector, dim=1))
    torch.testing.assert_close(out.scale_weights.sum(dim=1), torch.ones(2).double())
    assert out.saliency.shape == (2, 2, 2)


@pytest.mark.parametrize('source', ['salient', 'detected'])
def test_neck_gradients_and_company(source):
    neck = a_neck(region_source=source)
    features = features_of(some_regions(counts=(3, 3)))
    out = neck.eval()(features)
    first = Regions(*(None if t is None else t[:1] for t in features.regions))
    alone = ImageFeatures(maps=tuple(m[:1] for m in features.maps), regions=first)
    torch.testing.assert_close(neck(alone).embedding, out.embedding[:1])
    neck.train()(features).embedding[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in neck.parameters())


def test_neck_names_what_is_wrong():
    with pytest.raises(ConfigError, match="region_source='detected', but the images come without regions"):
        a_neck(region_source='detected')(features_of())
    for options, sentence in (
        (dict(region_source='none'), "must be one of 'salient', 'detected', got 'none'"),
        (dict(region_channels=3), 'leave it out'),
        (dict(embed_dims=12), 'multiple of 8'),
    ):
        with pytest.raises(ConfigError, match=sentence):
            a_neck(**options)


def test_parameters_of_the_parts():
    attention, perceptron = 4 * 513 * 512, 513 * 1024 + 1025 * 512
    fusion = 2 * (attention + perceptron + 2 * 1024) + 2 * (2 * attention + perceptron + 3 * 1024)
    fusion += 513 * 512 + 513 * 2
    assert count(MultiLevelDynamicFusion(channels=512)) == fusion == 10_778_114
    graph = RegionGraph(num_regions=20, num_labels=15, embed_dims=512)
    assert count(graph) == 400 + 200 + 200 + 401 * 512 == 206_112


def test_size_with_the_original_text_side_is_the_published_one():
    model = comparison_model('galr')
    windows = count(model.neck.local_branch.classify)
    assert windows == 513 * 15
    assert without_text(model) - windows + ORIGINAL_TEXT == pytest.approx(46.89e6, rel=0.0002)
    assert without_text(model) + ORIGINAL_TEXT == pytest.approx(46.89e6, rel=0.01)
    assert count(model) - count(model.text_tower.embedding) == pytest.approx(25.33e6, abs=5e3)
    assert np.isclose(ORIGINAL_TEXT, 23.81e6, atol=5e3)
