"""HVSA's attention, losses and head against loops and by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.hvsa import hvsa_head, uniformity
from osdpm_plugin.models.comparison.hvsa.curriculum_triplet import CurriculumTripletLoss
from osdpm_plugin.models.comparison.hvsa.hvsa_head import HVSAHead
from osdpm_plugin.models.comparison.hvsa.key_entity_attention import ExternalAttention, KeyEntityAttention
from osdpm_plugin.models.comparison.hvsa.loss_mixer import LossMixer
from osdpm_plugin.models.comparison.hvsa.uniformity import UniformityLoss
from osdpm_plugin.models.heads import matching_head
from osdpm_plugin.models.losses import TripletLoss
from osdpm_plugin.structures import NeckOutput, as_text_features
from tests.helpers import tiny_models as tiny
from tests.helpers.comparison_models import comparison_model, count
from tests.test_models.test_triplet_loss import CAPTIONS, IDS, labels


def an_attention(channels=4, slots=3, seed=0):
    torch.manual_seed(seed)
    attention = ExternalAttention(channels, slots).double()
    norm = attention.output[1]
    norm.running_mean.uniform_(-1, 1), norm.running_var.uniform_(0.5, 2)
    return attention.eval()


def a_map(batch=2, channels=4, size=(3, 2), seed=0):
    return torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_attention_equals_the_loops():
    attention, x = an_attention(), a_map()
    with torch.no_grad():
        got = attention(x)
        for b in range(2):
            columns = [x[b, :, i, j] for i in range(3) for j in range(2)]
            cells = [attention.input.weight[:, :, 0, 0] @ column + attention.input.bias for column in columns]
            logits = torch.stack([torch.stack([slot @ cell for cell in cells]) for slot in attention.memory])
            shares = torch.stack([row.softmax(dim=0) for row in logits])  # (K, hw)
            torch.testing.assert_close(got.attention[b].flatten(1), shares)
            for n in range(6):
                column = shares[:, n] / shares[:, n].sum()
                value = sum(w * slot for w, slot in zip(column, attention.memory))
                value = attention.output[0].weight[:, :, 0, 0] @ value
                norm = attention.output[1]
                value = (value - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
                torch.testing.assert_close(got.map[b, :, n // 2, n % 2], (x[b, :, n // 2, n % 2] + value).relu())


def test_keys_and_values_are_one_parameter():
    """Its gradient is the sum of both roles."""
    attention, x = an_attention(), a_map()
    assert [name for name, _ in attention.named_parameters() if name.startswith('memory')] == ['memory']
    attention(x).map.sum().backward()
    step = 1e-6
    direction = torch.randn(attention.memory.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    with torch.no_grad():
        attention.memory += step * direction
        above = attention(x).map.sum()
        attention.memory -= 2 * step * direction
        below = attention(x).map.sum()
    slope = (attention.memory.grad * direction).sum().item()
    assert ((above - below) / (2 * step)).item() == pytest.approx(slope, rel=1e-5)


def test_attention_gradcheck():
    assert torch.autograd.gradcheck(lambda x: an_attention()(x).map, (a_map().requires_grad_(),))


@pytest.mark.parametrize('size', [(1, 1), (3, 5)])
def test_neck(size):
    torch.manual_seed(0)
    neck = KeyEntityAttention(in_channels=4, embed_dims=5, slots=3).double()
    x = a_map(size=size)
    out = neck(x)
    attended = neck.attention(x)
    torch.testing.assert_close(out.embedding, F.normalize(neck.linear(attended.map.flatten(2).mean(dim=2)), dim=1))
    torch.testing.assert_close(out.saliency.sum(dim=(1, 2)), torch.ones(2).double())
    if size != (1, 1):  # over one cell the attention is 1
        out.embedding[:, 0].sum().backward()
        assert all(p.grad.abs().sum() > 0 for p in neck.parameters())
    neck.eval()
    torch.testing.assert_close(neck(x[1:]).embedding, neck(x).embedding[1:])


def test_size():
    """Two 1x1 convolutions, one with biases, 64 slots, batch norm, and the linear layer."""
    neck = KeyEntityAttention(in_channels=512, embed_dims=512)
    assert count(neck) == 2 * 512**2 + 512 + 64 * 512 + 2 * 512 + 513 * 512 == 821_248
    model = comparison_model('hvsa')
    mixer = 2 * 64 + 64 * 128 + 128 * 2 + 2
    assert count(model.head) == mixer
    assert count(model) - count(model.text_tower.embedding) - mixer == pytest.approx(14.76e6, abs=5e3)


def naive_curriculum(scores, positives, ignored, margin, beta, reduction):
    total = 0.0
    for s, p, i in ((scores, positives, ignored), (scores.T, positives.T, ignored.T)):
        terms = []
        for row, column in p.nonzero().tolist():
            for c in range(s.shape[1]):
                if not p[row, c] and not i[row, c]:
                    h = max(0.0, margin - s[row, column].item() + s[row, c].item())
                    terms.append(h * math.exp(-beta * h))
        total += sum(terms) / (max(len(terms), 1) if reduction == 'mean' else 1)
    return total


def test_curriculum_by_hand():
    """Hinges 0.1 and 0.4 along rows, 0 and 0.5 along columns, as for the plain triplet loss."""
    scores = torch.tensor([[0.5, 0.4], [0.3, 0.1]], dtype=torch.float64)
    pair = labels([[1, 0], [0, 1]])
    weighted = [h * math.exp(-0.5 * h) for h in (0.1, 0.4, 0.0, 0.5)]
    assert CurriculumTripletLoss(reduction='sum')(scores, *pair).item() == pytest.approx(sum(weighted))
    assert CurriculumTripletLoss()(scores, *pair).item() == pytest.approx(sum(weighted) / 2)
    harder = CurriculumTripletLoss(beta=2.0, reduction='sum')(scores, *pair).item()
    assert harder == pytest.approx(sum(h * math.exp(-2 * h) for h in (0.1, 0.4, 0.5)))


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
@pytest.mark.parametrize('seed', range(3))
def test_curriculum_equals_the_loops(seed, reduction):
    generator = torch.Generator().manual_seed(seed)
    scores = 0.5 * torch.randn(5, 8, generator=generator, dtype=torch.float64)
    positives = torch.rand(5, 8, generator=generator) < 0.25
    positives[1], positives[:, 3] = False, False
    ignored = (torch.rand(5, 8, generator=generator) < 0.25) & ~positives
    got = CurriculumTripletLoss(margin=0.3, beta=0.7, reduction=reduction)(scores, positives, ignored).item()
    assert got == pytest.approx(naive_curriculum(scores, positives, ignored, 0.3, 0.7, reduction))
    plain = CurriculumTripletLoss(margin=0.3, beta=0.0, reduction=reduction)(scores, positives, ignored)
    torch.testing.assert_close(plain, TripletLoss(margin=0.3, reduction=reduction)(scores, positives, ignored))


def test_curriculum_gradient_and_extremes():
    scores = torch.tensor([[0.51, 0.4, 0.9], [0.3, 0.12, -0.4]], dtype=torch.float64, requires_grad=True)
    pair = labels([[1, 0, 0], [0, 1, 0]])
    assert torch.autograd.gradcheck(lambda s: CurriculumTripletLoss()(s, *pair), (scores,))
    nothing = labels([[0, 0, 0], [0, 0, 0]])
    loss = CurriculumTripletLoss()(scores, *nothing)
    loss.backward()
    assert loss.item() == 0 and scores.grad.abs().sum() == 0
    assert CurriculumTripletLoss()(scores.half(), *pair).dtype == torch.float32


@pytest.mark.parametrize('options', [dict(margin=-0.1), dict(beta=-1.0), dict(reduction='max')])
def test_curriculum_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        CurriculumTripletLoss(**options)


def test_uniformity_by_hand():
    """(1, 0), (0, 2), (-3, 0): squared distances 2, 4, 2 on the circle."""
    rows = torch.tensor([[1.0, 0], [0, 2], [-3, 0]], dtype=torch.float64)
    assert uniformity(rows, 2.0).item() == pytest.approx((2 * math.exp(-4) + math.exp(-8)) / 3)
    assert uniformity(rows[:1], 2.0).item() == 0 and uniformity(rows[:0], 2.0).item() == 0
    assert uniformity(rows[[0, 0]], 2.0).item() == pytest.approx(1.0)


@pytest.mark.parametrize('seed', range(3))
def test_uniformity_equals_pdist(seed):
    rows = torch.randn(7, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)
    want = torch.pdist(F.normalize(rows, dim=1)).square().mul(-1.5).exp().mean()
    torch.testing.assert_close(uniformity(rows, 1.5), want)
    assert torch.autograd.gradcheck(lambda r: uniformity(r, 1.5), (rows,))


def test_each_image_counts_once():
    ids = torch.tensor([9, 4, 9, 2, 4, 9])
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    copies = rows[[0, 1, 0, 3, 1, 0]]
    torch.testing.assert_close(UniformityLoss()(copies, ids), uniformity(rows[[0, 1, 3]], 2.0))
    order = torch.tensor([5, 3, 1, 0, 4, 2])
    torch.testing.assert_close(UniformityLoss()(copies[order], ids[order]), UniformityLoss()(copies, ids))
    with pytest.raises(ConfigError, match='gamma must be a number above 0'):
        UniformityLoss(gamma=0.0)


def test_mixer():
    torch.manual_seed(0)
    mixer = LossMixer(2)
    losses = [torch.tensor(0.3, requires_grad=True), torch.tensor(1.7, requires_grad=True)]
    mixed, weights = mixer(losses)
    x = torch.tensor([0.3, 1.7])
    for layer in mixer.layers:
        x = layer(x) if isinstance(layer, torch.nn.PReLU) else layer.weight @ x
    torch.testing.assert_close(weights, x.softmax(dim=0))
    assert mixed.item() == pytest.approx(0.3 * weights[0].item() + 1.7 * weights[1].item())
    mixed.backward()
    assert all(t.grad.abs().sum() > 0 for t in (*losses, *mixer.parameters()))
    with pytest.raises(ConfigError, match='num must be a whole number of at least 2'):
        LossMixer(1)


def head_inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = F.normalize(torch.randn(3, 8, generator=generator), dim=1).requires_grad_()
    text = F.normalize(torch.randn(4, 8, generator=generator), dim=1).requires_grad_()
    return NeckOutput.of(image), as_text_features(text), CAPTIONS, image @ text.mT


def test_head_is_its_parts():
    torch.manual_seed(0)
    head, (*inputs, scores) = HVSAHead(), head_inputs()
    out = head.loss(*inputs, scores=scores)
    positives = torch.tensor([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()  # two captions have one text
    alignment = CurriculumTripletLoss()(scores, positives, torch.zeros_like(positives))
    spread = uniformity(inputs[0].embedding, 2.0)
    torch.testing.assert_close((out['alignment'], out['uniformity']), (alignment, spread), check_dtype=False)
    weight = out['weight_uniformity']
    torch.testing.assert_close(out['loss_mixed'], (1 - weight) * alignment + weight * spread)
    assert [key for key in out if 'loss' in key] == ['loss_mixed'], 'mmengine adds up what is named so'
    out['loss_mixed'].backward()
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())
    fixed = HVSAHead(uniformity_weight=0.25).loss(*inputs, scores=scores)
    torch.testing.assert_close(fixed, dict(loss_curriculum_triplet=alignment, loss_uniformity=0.25 * spread))


def test_head_takes_other_losses_and_names_what_is_wrong():
    parts = dict(alignment=dict(type='TripletLoss'), uniformity=dict(type='UniformityLoss', gamma=1.0))
    head = HVSAHead(uniformity_weight=1.0, **parts)
    *inputs, scores = head_inputs()
    assert set(head.loss(*inputs, scores=scores)) == {'loss_triplet', 'loss_uniformity'}
    with pytest.raises(ConfigError, match='uniformity_weight must be a number above 0, got 0.0; None learns it'):
        HVSAHead(uniformity_weight=0.0)
    with pytest.raises(ConfigError, match='needs the scores'):
        head.loss(*inputs)


def test_the_head_trains_osdpms_neck():
    model = tiny.build(head=dict(type='HVSAHead'))
    out = model(**model.data_preprocessor(tiny.batch(range(4), captions_each=2)), mode='loss')
    total, _ = model.parse_losses(out)
    total.backward()
    for part in (model.neck, model.text_neck, model.image_tower, model.text_tower, model.head):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_the_head_gathers_what_it_compares(monkeypatch):
    """As on two processes: this one has the first two images and three captions, the scores are of all."""
    images, texts, captions, scores = head_inputs()
    want = HVSAHead(uniformity_weight=1.0).loss(images, texts, captions, scores=scores)
    own = {key: value[: 2 if key == 'image_ids' else 3] for key, value in IDS.items()}
    everywhere = {id(value): IDS[key] for key, value in own.items()}
    own_images = images._replace(embedding=images.embedding[:2])
    everywhere[id(own_images.embedding)] = images.embedding
    for module in (hvsa_head, matching_head):
        monkeypatch.setattr(module, 'gather_rows', lambda x: everywhere[id(x)])
    got = HVSAHead(uniformity_weight=1.0).loss(own_images, texts, captions._replace(**own), scores=scores)
    torch.testing.assert_close(got, want)
