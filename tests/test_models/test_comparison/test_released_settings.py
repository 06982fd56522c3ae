"""What the released code of the compared methods does, worked by hand, and what is named as a departure from it."""

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.scheduler import MultiStepLR

from osdpm_plugin.models.comparison import CurriculumTripletLoss
from osdpm_plugin.models.necks import LinearNeck, TextProjection
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import NeckOutput, TextFeatures
from tests.helpers.paths import CONFIGS

PASSES = 5  # of ours, for one epoch of theirs


def model_of(name):
    cfg = Config.fromfile(CONFIGS / '_base_' / 'models' / 'comparison' / f'{name}.py').model
    cfg.image_tower.init_cfg = None
    return cfg


def rates(config):
    """The rate of each epoch of theirs, by the scheduler that the config names."""
    cfg = Config.fromfile(CONFIGS / config)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    (scheduler,) = cfg.param_scheduler
    assert scheduler.pop('type') == 'MultiStepLR' and scheduler.pop('by_epoch') is True
    scheduler = MultiStepLR(optimizer, **scheduler)
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    theirs = found[::PASSES]
    assert found == [rate for rate in theirs for _ in range(PASSES)]  # changes between epochs of theirs alone
    return theirs


@pytest.mark.parametrize(
    ('config', 'start', 'epochs'),
    [
        ('comparison/amfmn_soft_rsicd.py', 1e-4, 70),
        ('comparison/amfmn_soft_rsitmd.py', 2e-4, 70),
        ('comparison/galr_rsicd.py', 2e-4, 70),
        ('comparison/galr_rsitmd.py', 2e-4, 20),
        ('comparison/vsepp_ucm.py', 1e-4, 70),
    ],
)
def test_rates_drop_before_the_epochs_19_39_and_59(config, start, epochs):
    want = [start] * 19 + [0.7 * start] * 20 + [0.49 * start] * 20 + [0.343 * start] * 11
    assert rates(config) == pytest.approx(want[:epochs])


def test_mtfn_ends_both_sides_in_a_tanh():
    cfg = model_of('mtfn')
    neck = LinearNeck(in_channels=2, embed_dims=2, activation=cfg.neck.activation, normalize=cfg.neck.normalize)
    neck.linear.weight.data = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    image = neck((torch.tensor([1.0, -3.0]).view(1, 2, 1, 1),)).embedding  # linear: 1 and -1
    torch.testing.assert_close(image, torch.tensor([[math.tanh(1), -math.tanh(1)]]))
    assert (cfg.neck.activation, cfg.text_neck.activation) == ('tanh', 'tanh')


@pytest.mark.parametrize('name', ['camp_triplet', 'camp_bce'])
def test_camp_normalises_the_image_before_its_linear_layer_and_nothing_after(name):
    cfg = model_of(name)
    neck, text_neck = MODELS.build(cfg.neck), MODELS.build(cfg.text_neck)
    assert isinstance(neck, LinearNeck) and isinstance(text_neck, TextProjection)
    pooled = torch.zeros(1, 512)
    pooled[0, :2] = torch.tensor([3.0, 4.0])
    embedding = neck((pooled[..., None, None],)).embedding
    want = 0.6 * neck.linear.weight[:, 0] + 0.8 * neck.linear.weight[:, 1] + neck.linear.bias
    torch.testing.assert_close(embedding, want[None])
    words, mask = torch.zeros(1, 1, 1024), torch.ones(1, 1, dtype=torch.bool)
    caption = torch.full((1, 1024), 0.5)  # of length 16
    assert torch.equal(text_neck(TextFeatures(words=words, mask=mask, pooled=caption)), caption)


def test_camps_gate_is_not_confined():
    """Region (2, 0), word (3, 0): the gate is sigmoid(6) = 0.9975; two unit vectors get no further than 0.73."""
    similarity = MODELS.build(dict(type='CrossModalMessagePassing', channels=2, grain='global', heads=1))
    seen = []
    similarity.image_fusion.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[3].sigmoid()))
    texts = TextFeatures(
        words=torch.zeros(1, 1, 2), mask=torch.ones(1, 1, dtype=torch.bool), pooled=torch.tensor([[3.0, 0.0]])
    )
    similarity(NeckOutput.of(torch.tensor([[2.0, 0.0]])), texts)
    assert seen[0].item() == pytest.approx(1 / (1 + math.exp(-6)))


@pytest.mark.parametrize('images', [2, 5])
def test_hvsas_mean_is_the_released_loss_times_b_over_b_minus_1(images):
    scores = torch.rand(images, images, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hinges = 0.0
    for i in range(images):
        for j in range(images):
            if i != j:
                for own in (scores[i, i], scores[j, j]):  # another caption of the image, another image of the caption
                    hinge = max(0.0, 0.2 + scores[i, j].item() - own.item())
                    hinges += hinge * math.exp(-0.5 * hinge)
    positives = torch.eye(images, dtype=torch.bool)
    loss = CurriculumTripletLoss(margin=0.2, beta=0.5, reduction='mean')(scores, positives, ~positives & positives)
    assert loss.item() == pytest.approx(hinges / images**2 * images / (images - 1))
