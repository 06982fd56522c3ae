"""The retriever end to end on tiny towers."""

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.evaluation import ImageTextRecall
from osdpm_plugin.models.rows import first_of_each
from osdpm_plugin.registry import MODELS
from tests.helpers.tiny_models import CLIP, EMBED_DIM, TOKENIZER, batch, build

NARROW = dict(type='TextProjection', embed_dims=8, in_channels=EMBED_DIM)


def osfcm(**options):
    return dict(type='OSFCMHead', tokenizer=TOKENIZER, **options)


def run(model, data, mode):
    return model(**model.data_preprocessor(data), mode=mode)


def losses_of(model, data):
    return run(model, data, 'loss')


@pytest.fixture
def objects():
    return len(build().head.lexicon)


def test_recall_before_the_first_step_is_the_bare_clip_pairs(tmp_path):
    """A saved CLIP pair, DAPN and adapters in place with closed gates: the same embeddings, hence the same recall."""
    torch.manual_seed(0)
    clip = open_clip.CLIP(**CLIP).eval()
    torch.save(clip.state_dict(), tmp_path / 'clip.pt')
    towers = dict(model=CLIP, pretrained=str(tmp_path / 'clip.pt'))
    model = build(
        image_tower=dict(type='OpenCLIPImageTower', **towers),
        text_tower=dict(type='OpenCLIPTextTower', **towers),
        neck=dict(type='DAPN', in_channels=(64,), embed_dims=EMBED_DIM, channels=32, adapter=True),
    ).eval()
    model.init_weights()
    data = batch(range(12), captions_each=3)
    with torch.no_grad():
        predictions = run(model, data, 'predict')
        pixels = model.data_preprocessor(data)['inputs']
        want_image = F.normalize(clip.encode_image(pixels), dim=1)
        tokens = torch.from_numpy(np.concatenate([s.tokens for s in data['data_samples']]))
        want_text = F.normalize(clip.encode_text(tokens), dim=1)
    torch.testing.assert_close(torch.stack([p.image_embed for p in predictions]), want_image, rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.cat([p.text_embed for p in predictions]), want_text, rtol=0, atol=1e-6)

    metric, bare = ImageTextRecall(), ImageTextRecall()
    metric.process({}, [p.to_dict() for p in predictions])
    wanted = zip(predictions, want_image, want_text.split(3))
    bare.process({}, [dict(p.to_dict(), image_embed=v, text_embed=t) for p, v, t in wanted])
    result = metric.evaluate(12)
    assert result == bare.evaluate(12) and 0 < result['retrieval/mR'] < 100


def test_preprocessing_by_hand():
    """BGR pixel (0, 127.5, 255) is RGB (255, 127.5, 0); mean 0 and std 255 make it (1, 0.5, 0)."""
    preprocessor = MODELS.build(dict(type='RetrievalDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255)))
    inputs = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    assert preprocessor(dict(inputs=inputs))['inputs'].flatten().tolist() == pytest.approx([1.0, 0.2, 0.0])
    as_is = MODELS.build(dict(type='RetrievalDataPreprocessor', mean=(0, 1, 5), std=(1, 10, 50), channel_order='bgr'))
    assert as_is(dict(inputs=inputs))['inputs'].flatten().tolist() == pytest.approx([0.0, 5.0, 5.0])


def test_statistics_are_the_image_towers_own():
    own = build().data_preprocessor
    torch.testing.assert_close(own.mean.flatten(), torch.tensor(open_clip.OPENAI_DATASET_MEAN) * 255)
    torch.testing.assert_close(own.std.flatten(), torch.tensor(open_clip.OPENAI_DATASET_STD) * 255)
    with pytest.raises(ConfigError, match='ResNet does not state its pixel statistics; set data_preprocessor'):
        build(image_tower=dict(type='mmpretrain.ResNet', depth=18))


@pytest.mark.parametrize('frozen', ['none', 'image', 'text', 'both'])
def test_every_trainable_parameter_gets_a_gradient_and_no_frozen_one_does(objects, frozen):
    model = build(
        image_tower=dict(type='OpenCLIPImageTower', model=CLIP, frozen=frozen in ('image', 'both')),
        text_tower=dict(type='OpenCLIPTextTower', model=CLIP, frozen=frozen in ('text', 'both')),
    ).train()
    for name, p in model.named_parameters():
        if name.endswith('gate'):
            p.data.fill_(0.3)  # at 0 a gate keeps gradients from what is behind it
    losses = losses_of(model, batch(range(6), captions_each=2, num_objects=objects))
    sum(losses.values()).backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad is not None and p.grad.abs().sum() > 0, name
        else:
            assert p.grad is None and name.split('.')[0] in ('image_tower', 'text_tower'), name


def test_prototypes_of_a_frozen_text_tower_equal_those_of_a_trainable_one(objects):
    data = batch(range(5), num_objects=objects)
    weights = build().state_dict()
    values = []
    for frozen in (False, True):
        model = build(text_tower=dict(type='OpenCLIPTextTower', model=CLIP, frozen=frozen)).eval()
        model.load_state_dict(weights)
        values.append([losses_of(model, data)['loss_cluster'].item() for _ in range(2)])
    assert values[0] == pytest.approx(values[1], rel=1e-6) and values[0][0] > 0


def test_prompt_features_follow_loaded_weights(objects):
    data = batch(range(5), num_objects=objects)
    frozen = dict(type='OpenCLIPTextTower', model=CLIP, frozen=True)
    other = build(seed=1, text_tower=frozen).eval()
    want = losses_of(other, data)['loss_cluster'].item()
    model = build(seed=0, text_tower=frozen).train()
    losses_of(model, data)
    model.load_state_dict(other.state_dict())
    assert losses_of(model.eval(), data)['loss_cluster'].item() == pytest.approx(want, rel=1e-6)


def test_order_and_company_of_a_batch_do_not_change_predictions():
    model = build().eval()
    with torch.no_grad():
        together = {p.image_id: p for p in run(model, batch([4, 2, 9], captions_each=3), 'predict')}
        alone = run(model, batch([9], captions_each=3), 'predict')[0]  # a batch of one
    torch.testing.assert_close(together[9].image_embed, alone.image_embed, rtol=0, atol=1e-6)
    torch.testing.assert_close(together[9].text_embed, alone.text_embed, rtol=0, atol=1e-6)
    assert together[2].text_embed.shape == (3, EMBED_DIM) and together[2].img_path == '2.jpg'


def test_losses_do_not_depend_on_order(objects):
    model = build().eval()
    ids = [3, 1, 8, 5]
    forward = losses_of(model, batch(ids, captions_each=2, num_objects=objects))
    backward = losses_of(model, batch(ids[::-1], captions_each=2, num_objects=objects))
    for key in forward:
        assert forward[key].item() == pytest.approx(backward[key].item(), rel=1e-5), key


def test_first_of_each_by_hand():
    """5 3 5 9 3: the different keys 3, 5, 9 stand first in rows 1, 0, 3."""
    rows, place = first_of_each(torch.tensor([5, 3, 5, 9, 3]))
    assert rows.tolist() == [1, 0, 3] and place.tolist() == [1, 0, 1, 2, 0]


def test_a_repeated_text_is_read_once_in_training():
    """Two images with the captions a b a and b b a: training reads two texts, evaluation six, the loss is the same."""
    data = batch([3, 8], captions_each=3)
    keys, tokens = data['data_samples'][0].caption_keys, data['data_samples'][0].tokens
    for sample, order in zip(data['data_samples'], ([0, 1, 0], [1, 1, 0])):
        sample.caption_keys, sample.tokens = keys[order], tokens[order]
    model = build(head=dict(type='ContrastiveHead'))
    read = []
    model.text_tower.register_forward_pre_hook(lambda module, inputs: read.append(len(inputs[0])))
    want = losses_of(model.eval(), data)['loss_align'].item()
    for module in model.train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    assert losses_of(model, data)['loss_align'].item() == pytest.approx(want, rel=1e-5)
    assert read == [6, 2]


def test_a_batch_of_one_trains(objects):
    losses = losses_of(build(), batch([3], num_objects=objects))
    assert losses['loss_align'].item() == pytest.approx(0.0, abs=1e-6) and losses['loss_cluster'].isfinite()


@pytest.mark.parametrize(
    ('options', 'keys'),
    [
        (dict(cluster_weight=0.0), {'loss_align'}),
        (dict(align_weight=0.0), {'loss_cluster'}),
        (dict(), {'loss_align', 'loss_cluster'}),
    ],
)
def test_each_loss_of_the_head_can_be_switched_off(objects, options, keys):
    model = build(head=osfcm(num_objects=6, **options))
    assert set(losses_of(model, batch(range(3), num_objects=objects))) == keys


def test_loss_weights_scale(objects):
    data = batch(range(4), num_objects=objects)
    heads = [osfcm(num_objects=6, cluster_weight=weight, align_weight=weight) for weight in (1.0, 2.0)]
    one, two = (losses_of(build(head=head).eval(), data) for head in heads)
    assert all(two[key].item() == pytest.approx(2 * one[key].item(), rel=1e-6) for key in one)


def test_head_takes_the_most_frequent_objects(objects):
    model = build()
    assert model.head.active_objects.tolist() == [0, 1, 2, 3, 4, 5] and model.head.prompt_tokens.shape == (6, 16)
    frequency = torch.zeros(objects)
    frequency[torch.tensor([7, 2, 30])] = torch.tensor([0.1, 0.5, 0.5])
    model.head.set_object_frequency(frequency)
    assert model.head.active_objects.tolist() == [2, 30, 7]
    assert torch.equal(build(seed=3).head.frequency.count_nonzero(), torch.tensor(8))


def cfg_error(**changes):
    return lambda: build(**changes)


def statistics(**options):
    return dict(type='RetrievalDataPreprocessor', **options)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (cfg_error(head=osfcm(prompt='a picture')), r'prompt must contain {}'),
        (cfg_error(head=osfcm(temperature=0)), 'temperature must be a number above 0'),
        (cfg_error(head=osfcm(align_weight=0, cluster_weight=0)), 'both 0'),
        (cfg_error(data_preprocessor=statistics(mean=(0, 0, 0))), 'give both mean and std'),
        (cfg_error(data_preprocessor=statistics(mean=(0, 0), std=(1, 1))), 'must hold 3 values'),
        (lambda: build().head.set_object_frequency(torch.zeros(1)), 'fewer than two categories'),
        (lambda: losses_of(build(head=None), batch([1, 2])), 'head is None'),
        (lambda: losses_of(build(), batch([1, 2])), "the pipeline delivers none.*put dict\\(type='CountObjects'\\)"),
        (lambda: losses_of(build(), batch([1, 2], num_objects=3)), 'counts of 3 categories'),
        (lambda: losses_of(build(text_neck=NARROW), batch([1, 2])), 'have 16 values, text embeddings 8'),
        (lambda: losses_of(build(), dict(inputs=[torch.zeros(3, 8, 8)] * 2, data_samples=[])), 'default_collate'),
        (lambda: run(build(), batch([1, 2]), 'train'), "mode must be 'loss', 'predict' or 'tensor'"),
    ],
)
def test_misfits_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_frequencies_must_be_set(objects):
    model = build()
    model.head.frequency.zero_()
    with pytest.raises(ConfigError, match='ObjectFrequencyHook'):
        losses_of(model, batch([1, 2], num_objects=objects))
