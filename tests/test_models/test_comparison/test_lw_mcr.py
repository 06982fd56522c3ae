"""LW-MCR's towers and distillation against loops and by hand, and its size against the published one."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from osdpm_plugin.datasets.text.word_tokenizer import word_id
from osdpm_plugin.errors import CheckpointError, ConfigError
from osdpm_plugin.models.comparison.lw_mcr.distillation import (
    Encoding,
    HiddenSupervisionLoss,
    relation_distillation,
    score_distillation,
)
from osdpm_plugin.models.comparison.lw_mcr.light_multiscale_cnn import (
    LightMultiScaleCNN,
    MultiScaleFire,
    RedundancyFilter,
)
from osdpm_plugin.models.comparison.lw_mcr.light_text_cnn import LightTextCNN
from osdpm_plugin.models.comparison.lw_mcr.teacher import Teacher
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import ImageFeatures, as_image_features
from tests.helpers import tiny_models as tiny
from tests.helpers import word_features as words
from tests.helpers.comparison_models import RSICD_WORDS, comparison_cfg, count


def test_filter_by_hand():
    """A share of sigmoid(0) = 1/2: channel (4, 0, -2, 2) has mean magnitude 2, hence the threshold 1."""
    reduction = RedundancyFilter(1)
    for p in reduction.parameters():
        p.data.zero_()
    x = torch.tensor([[[[4.0, 0.0], [-2.0, 2.0]]]])
    assert reduction(x).flatten().tolist() == [3, 0, -1, 1]


def test_filter_gradients():
    torch.manual_seed(0)
    reduction = RedundancyFilter(16).double()
    x = torch.randn(2, 16, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(reduction, (x,))
    reduction(x).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in reduction.parameters())


def test_a_fire_block_looks_at_four_scales():
    """The gradient of the middle cell reaches as far as the greatest dilation, on its cross of nine positions each."""
    torch.manual_seed(0)
    block = MultiScaleFire(8, 4).double().eval()
    for branch in block.expand:
        branch[0].weight.data.abs_()
        branch[1].bias.data.fill_(5.0)  # nothing is cut off
    block.squeeze[0].weight.data.abs_()
    block.filter = torch.nn.Identity()
    x = torch.rand(1, 8, 9, 9, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(block(x)[0, :, 4, 4].sum() - x[0, :, 4, 4].sum(), x)
    reached = gradient.abs().sum(dim=(0, 1)) > 0
    want = torch.zeros(9, 9, dtype=torch.bool)
    for dilation in (1, 2, 3):
        want[4 - dilation : 5 + dilation : dilation, 4 - dilation : 5 + dilation : dilation] = True
    assert torch.equal(reached, want)


def a_cnn(seed=0, **options):
    torch.manual_seed(seed)
    return LightMultiScaleCNN(**dict(dict(channels=(8, 12, 16), depths=(1, 2, 1), stem_channels=4), **options))


def test_maps_go_from_fine_to_coarse():
    cnn = a_cnn()
    images = torch.randn(2, 3, 48, 32)
    maps = cnn(images)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 12, 8), (2, 12, 6, 4), (2, 16, 3, 2)]
    sum(m.square().mean() for m in maps).backward()
    assert all(p.grad.abs().sum() > 0 for p in cnn.parameters())
    cnn.eval()
    for alone, together in zip(cnn(images[1:]), cnn(images)):
        torch.testing.assert_close(alone, together[1:])


@pytest.mark.parametrize(
    'options', [dict(channels=(8, 12)), dict(channels=(8, 12, 18)), dict(channels=(4, 8, 12)), dict(depths=(1, 0, 1))]
)
def test_cnn_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match='LightMultiScaleCNN'):
        a_cnn(**options)


def a_text_tower(seed=0, **options):
    torch.manual_seed(seed)
    tower = LightTextCNN(**dict(dict(vocab_size=40, word_channels=8, channels=(12, 8), groups=4), **options)).double()
    tower.embedding.set_vocabulary(f'w{i}' for i in range(30))
    return tower


def tokens_of(lengths, width):
    rows = torch.zeros(len(lengths), width, dtype=torch.int64)
    for r, length in enumerate(lengths):
        rows[r, :length] = torch.tensor([word_id(f'w{(7 * r + 3 * t) % 30}') for t in range(length)], dtype=torch.int64)
    return rows


def naive_text(tower, tokens):
    """One caption without padding, word by word and channel by channel."""
    x = list(tower.embedding(tokens[None])[0])
    for layer in tower.layers:
        groups, weight = layer.groups, layer.convolution.weight  # (out, in / groups, kernel)
        each_in, each_out, reach = weight.shape[1], weight.shape[0] // groups, weight.shape[2] // 2
        new = []
        for t in range(len(x)):
            out = torch.zeros(weight.shape[0], dtype=torch.float64)
            for channel in range(weight.shape[0]):
                group, place = divmod(channel, each_out)
                total = 0.0
                for k in range(-reach, reach + 1):
                    if 0 <= t + k < len(x):
                        part = x[t + k][group * each_in : (group + 1) * each_in]
                        total = total + (weight[channel, :, k + reach] * part).sum()
                out[place * groups + group] = total  # dealt round
            new.append(layer.norm(out).relu())
        x = new
    return torch.stack(x)


@pytest.mark.parametrize('options', [dict(), dict(kernel=5, groups=2), dict(kernel=1, groups=1)])
def test_text_tower_equals_the_loops(options):
    tower, lengths = a_text_tower(**options), (5, 1, 7)
    tokens = tokens_of(lengths, 9)
    with torch.no_grad():
        out = tower(tokens)
        for row, length in enumerate(lengths):
            want = naive_text(tower, tokens[row, :length])
            torch.testing.assert_close(out.words[row, :length], want)
            torch.testing.assert_close(out.pooled[row], want.mean(dim=0))
    assert (out.words[~out.mask] == 0).all() and out.mask.sum(dim=1).tolist() == list(lengths)


def test_text_padding_and_company_change_nothing():
    tower = a_text_tower()
    want = tower(tokens_of((5, 1, 7), 7)).pooled
    torch.testing.assert_close(tower(tokens_of((5, 1, 7), 20)).pooled, want)
    torch.testing.assert_close(tower(tokens_of((5,), 5)).pooled, want[:1])


def test_text_gradients():
    tower, tokens = a_text_tower(), tokens_of((5, 1, 7), 9)
    tower(tokens).pooled[:, 0].sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in tower.parameters())
    words = tower.embedding(tokens).detach().requires_grad_()
    mask = tokens != 0
    assert torch.autograd.gradcheck(lambda w: tower.layers[0](w * mask[..., None], mask), (words,))


def test_captions_without_known_words():
    tower = a_text_tower()
    tokens = torch.stack([torch.zeros(4, dtype=torch.int64), torch.full((4,), word_id('strange'))])
    out = tower(tokens)
    assert (out.pooled[0] == 0).all() and out.pooled.isfinite().all() and out.pooled[1].abs().sum() > 0


@pytest.mark.parametrize('options', [dict(word_channels=9), dict(channels=(10,)), dict(kernel=2), dict(groups=0)])
def test_text_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match='LightTextCNN'):
        a_text_tower(**options)


@pytest.mark.parametrize('name', ['lw_mcr_b', 'lw_mcr_d'])
def test_size_is_the_published_one(name):
    cfg = comparison_cfg(name, RSICD_WORDS)
    if name == 'lw_mcr_d':
        cfg.teacher = dict(config='a.py', checkpoint='a.pth')
    model = MODELS.build(cfg)
    assert count(model) == pytest.approx(1.65e6, rel=0.01)
    assert count(model.text_tower.embedding) == 300 * (RSICD_WORDS + 2)


def naive_cosines(x):
    centred = x - x.mean(dim=0)
    return torch.stack([torch.stack([F.cosine_similarity(a, b, dim=0) for b in centred]) for a in centred])


def test_relations_by_hand():
    """Two rows are opposite once they are centred, in any model: nothing to teach. With three, (0, 2, 1) is centred to
    (-1, 1, 0), and (0, 1, 5) to (-2, -1, 3).
    """
    pair = relation_distillation(torch.tensor([[1.0, 2.0], [5.0, -3.0]]), torch.tensor([[0.0], [1.0]]))
    assert pair.item() == pytest.approx(0.0, abs=1e-12)
    student, teacher = torch.tensor([[0.0], [2.0], [1.0]]), torch.tensor([[0.0], [1.0], [5.0]])
    # cosines of student: [[1, -1, 0], [-1, 1, 0], [0, 0, 0]]; of teacher: [[1, 1, -1], [1, 1, -1], [-1, -1, 1]]
    assert relation_distillation(student, teacher).item() == pytest.approx((2 * 4 + 5) / 9)


@pytest.mark.parametrize('seed', range(3))
def test_relations_equal_the_loops(seed):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    want = (naive_cosines(student) - naive_cosines(teacher)).square().mean()
    torch.testing.assert_close(relation_distillation(student, teacher), want)
    assert torch.autograd.gradcheck(lambda s: relation_distillation(s, teacher), (student,))
    relation_distillation(student, teacher).backward()
    assert teacher.grad is None
    assert relation_distillation(3 * teacher + 5, teacher).item() == pytest.approx(0, abs=1e-12)
    assert relation_distillation(student[:1], teacher[:1]).item() == 0


def test_scores_by_hand():
    """One image, two captions: teacher (ln 3, 0), so 3/4 and 1/4, student (0, 0): KL = 3/4 ln(3/2) + 1/4 ln(1/2). With
    one image all captions' distributions are the same; half of it counts.
    """
    teacher, student = torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2)
    want = (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    assert score_distillation(student, teacher, 1.0).item() == pytest.approx(want)
    assert score_distillation(student, teacher / 2, 0.5).item() == pytest.approx(want)


@pytest.mark.parametrize('seed', range(3))
def test_scores_equal_the_loops(seed):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    want = 0.0
    for s, t in ((student, teacher), (student.T, teacher.T)):
        for a, b in zip((s / 0.3).softmax(dim=1), (t / 0.3).softmax(dim=1)):
            want += sum(q * (q / p).log() for p, q in zip(a, b)) / len(s) / 2
    torch.testing.assert_close(score_distillation(student, teacher, 0.3), want)
    assert torch.autograd.gradcheck(lambda s: score_distillation(s, teacher, 0.3), (student,))
    assert score_distillation(teacher, teacher, 0.3).item() == pytest.approx(0, abs=1e-12)


def an_encoding(levels=3, seed=0, width=4):
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(5, width + i, generator=generator) for i in range(levels)]
    image, text = torch.randn(5, width, generator=generator), torch.randn(6, width, generator=generator)
    return Encoding(levels=tuple(rows), image=image, text=text, scores=image @ text.mT)


def test_supervision_pairs_levels_from_the_coarsest():
    student, teacher = an_encoding(levels=3), an_encoding(levels=2, seed=1, width=7)
    out = HiddenSupervisionLoss(hidden_weight=2.0, output_weight=3.0, temperature=0.5)(student, teacher)
    pairs = [(student.levels[2], teacher.levels[1]), (student.levels[1], teacher.levels[0])]
    pairs += [(student.image, teacher.image), (student.text, teacher.text)]
    torch.testing.assert_close(out['loss_hidden'], 2 * sum(relation_distillation(*p) for p in pairs) / 4)
    torch.testing.assert_close(out['loss_output'], 3 * score_distillation(student.scores, teacher.scores, 0.5))
    assert set(HiddenSupervisionLoss(hidden_weight=0.0)(student, teacher)) == {'loss_output'}
    assert set(HiddenSupervisionLoss(output_weight=0.0)(student, teacher)) == {'loss_hidden'}


@pytest.mark.parametrize(
    'options', [dict(hidden_weight=-1.0), dict(hidden_weight=0.0, output_weight=0.0), dict(temperature=0.0)]
)
def test_supervision_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match='HiddenSupervisionLoss'):
        HiddenSupervisionLoss(**options)


STUDENT = dict(
    type='DistilledRetriever',
    image_tower=dict(type='LightMultiScaleCNN', channels=(8, 16), depths=(1, 1), stem_channels=4),
    text_tower=dict(type='LightTextCNN', vocab_size=400, word_channels=8, channels=(8, 16)),
    neck=dict(type='LinearNeck', in_channels=16, embed_dims=16),
    text_neck=dict(type='TextProjection', embed_dims=16),
    similarity=dict(type='DotProduct'),
)


def write_teacher(folder, model_cfg, tokenizer, size, model):
    """A config and a checkpoint as a training leaves them."""
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(size, size)),
        dict(type='TokenizeCaptions', tokenizer=tokenizer),
        dict(type='PackRetrievalInputs'),
    ]
    Config(dict(model=model_cfg, test_dataloader=dict(dataset=dict(pipeline=pipeline)))).dump(folder / 'teacher.py')
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'teacher.pth')
    return dict(config=str(folder / 'teacher.py'), checkpoint=str(folder / 'teacher.pth'))


@pytest.fixture
def teacher_files(tmp_path):
    return write_teacher(tmp_path, words.pair_cfg(), words.TOKENIZER, 64, words.build(seed=5))


def a_student(teacher_files, **changes):
    return words.build(**{**STUDENT, 'teacher': teacher_files, **changes})


def test_the_teacher_sees_what_it_would_see_by_itself(teacher_files):
    """Through the student's statistics and back, whatever they are."""
    teacher = words.build(seed=5).eval()
    own = dict(type='RetrievalDataPreprocessor', mean=(9, 8, 7), std=(3, 2, 1), channel_order='bgr')
    student = a_student(teacher_files, data_preprocessor=own)
    data = words.batch(range(3), captions_each=2)
    samples = data['data_samples']
    with torch.no_grad():
        inputs = teacher.data_preprocessor(data)['inputs']
        seen = teacher.embed_images(inputs)
        texts = teacher.embed_texts(torch.from_numpy(np.concatenate([s.tokens for s in samples])))
        maps = teacher.image_tower(inputs)
    looked_at = student._raw(student.data_preprocessor(data)['inputs'])
    torch.testing.assert_close(looked_at, data['inputs'].float(), rtol=0, atol=1e-3)
    got = Teacher(**teacher_files, device=torch.device('cpu'))(looked_at, samples)
    torch.testing.assert_close(got.image, seen.embedding, rtol=0, atol=1e-4)
    torch.testing.assert_close(got.text, texts.pooled)
    torch.testing.assert_close(got.scores, teacher.score(seen, texts), rtol=0, atol=1e-4)
    torch.testing.assert_close(got.levels, tuple(m.mean(dim=(2, 3)) for m in maps), rtol=0, atol=1e-4)


def test_a_teacher_of_another_size_and_tokenizer(tmp_path):
    """CLIP at 32 px with byte pairs teaches words at 64 px."""
    files = write_teacher(tmp_path, tiny.osdpm_cfg(), tiny.TOKENIZER, 32, tiny.build())
    student = a_student(files)
    data = words.batch(range(3), captions_each=2)
    out = student(**student.data_preprocessor(data), mode='loss')
    assert {'loss_hidden', 'loss_output', 'loss_triplet'} == set(out)
    assert all(v.isfinite() for v in out.values())


def test_the_test_pipeline_of_a_teacher_is_found_inside_wrappers(teacher_files):
    cfg = Config.fromfile(teacher_files['config'])
    cfg.test_dataloader.dataset = dict(type='CachedFeatureDataset', cache='c', dataset=cfg.test_dataloader.dataset)
    cfg.dump(teacher_files['config'])
    teacher = Teacher(**teacher_files, device=torch.device('cpu'))
    assert teacher.image_size == (64, 64) and teacher.tokenizer(['a']).shape[0] == 1


def test_a_teacher_of_several_views_sees_the_one_that_the_student_sees(tmp_path):
    cfg = tiny.osdpm_cfg()
    files = write_teacher(tmp_path, dict(cfg, test_views=4), tiny.TOKENIZER, 32, tiny.build())
    samples = words.batch(range(4), captions_each=2)['data_samples']
    pixels = torch.randint(0, 256, (4, 3, 32, 32)).float()
    teacher = Teacher(**files, device=torch.device('cpu'))
    seen = teacher(pixels, samples)
    assert len(seen.image) == 4 and seen.scores.shape == (4, 8)
    features = teacher._look(pixels)
    torch.testing.assert_close(teacher(features, samples).image, seen.image)
    torch.testing.assert_close(teacher(pixels[:1], samples[:1]).image, seen.image[:1], rtol=0, atol=1e-5)


def test_losses_are_those_of_the_head_and_of_the_teacher(teacher_files):
    student = a_student(teacher_files).eval()
    data = student.data_preprocessor(words.batch(range(4), captions_each=2))
    with torch.no_grad():
        out = student(**data, mode='loss')
        plain = words.build(**{key: value for key, value in STUDENT.items() if key != 'type'}).eval()
        plain.load_state_dict(student.state_dict())
        torch.testing.assert_close(out['loss_triplet'], plain(**data, mode='loss')['loss_triplet'])
        features = ImageFeatures(student.image_tower(data['inputs']))
        images, tokens = student.embed_images(features), np.concatenate([s.tokens for s in data['data_samples']])
        texts = student.embed_texts(torch.from_numpy(tokens))
        levels = tuple(m.mean(dim=(2, 3)) for m in features.maps)
        own = Encoding(levels, images.embedding, texts.pooled, images.embedding @ texts.pooled.mT)
        teacher = Teacher(**teacher_files, device=torch.device('cpu'))
        want = HiddenSupervisionLoss()(own, teacher(student._raw(data['inputs']), data['data_samples']))
    torch.testing.assert_close({key: out[key] for key in want}, want)


def test_the_teacher_is_frozen_and_nowhere_to_be_found(teacher_files):
    student = a_student(teacher_files)
    names = set(student.state_dict())
    data = student.data_preprocessor(words.batch(range(4)))
    total, _ = student.parse_losses(student(**data, mode='loss'))
    before = copy.deepcopy(student._teacher.model.state_dict())
    total.backward()
    assert all(p.grad.abs().sum() > 0 for p in student.parameters())
    assert set(student.state_dict()) == names and not any('teacher' in name for name in names)
    assert not any(module is student._teacher.model for module in student.modules())
    student.train()
    student(**data, mode='loss')
    looker = student._teacher.model
    assert not looker.training and not any(p.requires_grad for p in looker.parameters())
    torch.testing.assert_close(looker.state_dict(), before)


def test_the_teacher_is_not_there_at_inference(tmp_path):
    student = a_student(dict(config=str(tmp_path / 'no.py'), checkpoint=str(tmp_path / 'no.pth'))).eval()
    data = student.data_preprocessor(words.batch(range(2)))
    assert student(**data, mode='predict')[0].image_embed.shape == (16,) and student._teacher is None


def test_a_student_learns_its_teachers_relations(teacher_files):
    """Forty steps on the teacher's losses alone lower them."""
    student = a_student(teacher_files, supervision=dict(type='HiddenSupervisionLoss', temperature=0.3))
    data = student.data_preprocessor(words.batch(range(8)))
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    history = []
    for _ in range(40):
        out = student(**data, mode='loss')
        loss = out['loss_hidden'] + out['loss_output']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append((out['loss_hidden'].item(), out['loss_output'].item()))
    assert history[-1][0] < 0.5 * history[0][0] and history[-1][1] < 0.5 * history[0][1]


def test_what_is_wrong_with_a_teacher(teacher_files, tmp_path):
    data = words.batch(range(2))

    def loss(student):
        return student(**student.data_preprocessor(data), mode='loss')

    with pytest.raises(ConfigError, match=r'teacher must be dict\(config=FILE, checkpoint=FILE\)'):
        a_student(dict(config='a.py'))
    with pytest.raises(ConfigError, match='config file .*no.py does not exist; set teacher.config'):
        loss(a_student(dict(teacher_files, config=str(tmp_path / 'no.py'))))
    with pytest.raises(CheckpointError, match='no.pth does not exist'):
        loss(a_student(dict(teacher_files, checkpoint=str(tmp_path / 'no.pth'))))
    other = write_teacher(tmp_path, words.pair_cfg(), words.TOKENIZER, 64, tiny.build())
    with pytest.raises(CheckpointError, match='is of another model than .*teacher.py: .*; set teacher.config'):
        loss(a_student(other))
    for pipeline, fault in (([], 'dataset.pipeline'), ([dict(type='Resize', scale=64)], 'TokenizeCaptions')):
        loader = dict(dataset=dict(pipeline=pipeline))
        Config(dict(model=words.pair_cfg(), test_dataloader=loader)).dump(tmp_path / 'bare.py')
        with pytest.raises(ConfigError, match=rf'bare\.py has no .*{fault}'):
            loss(a_student(dict(teacher_files, config=str(tmp_path / 'bare.py'))))


def test_cached_features_serve_student_and_teacher_of_one_tower(tmp_path):
    """Losses from features are those from images, to the error of the way back to pixels."""
    cfg = words.pair_cfg()
    files = write_teacher(tmp_path, cfg, words.TOKENIZER, 64, teacher := words.build(seed=5))
    same = dict(image_tower=cfg['image_tower'], neck=cfg['neck'], data_preprocessor=cfg['data_preprocessor'])
    same['text_neck'] = dict(type='TextProjection', embed_dims=16)
    student = a_student(files, **same).eval()
    student.image_tower.load_state_dict(teacher.image_tower.state_dict())
    data = student.data_preprocessor(words.batch(range(4), captions_each=2))
    with torch.no_grad():
        live = student(**data, mode='loss')
        features = as_image_features(student.image_tower(data['inputs']))
        student._teacher = None
        cached = student(features, data['data_samples'], mode='loss')
    torch.testing.assert_close(cached, live, rtol=1e-3, atol=1e-4)
    other = words.build(**{**STUDENT, **same, 'teacher': files, 'image_tower': STUDENT['image_tower']})
    with pytest.raises(ConfigError, match="another image tower than the teacher's; name a teacher with the same tower"):
        other(features, data['data_samples'], mode='loss')
