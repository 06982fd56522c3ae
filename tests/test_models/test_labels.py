"""OSFCM on images that nobody captioned: the loss by hand, one and two processes, and the heads that refuse them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.preprocessors.collate import collate_captions
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import CaptionBatch, NeckOutput, TextFeatures
from tests.helpers.distributed import run_distributed
from tests.helpers.tiny_models import TOKENIZER, batch, build

LABELS = {'airport': 0.5, 'pond': 0.125, 'quarry': 0.25}
OBJECTS = 100
CAPTIONED = (0, 1, 2)  # of the images 0 to 5; image 1 has a label too


def head_of(**options):
    head = MODELS.build(dict(type='OSFCMHead', tokenizer=TOKENIZER, **options))
    head.set_label_frequency(LABELS)
    return head


def unit(*shape, seed=0):
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(vectors, dim=-1).float()


def batch_of(labels, captioned=None):
    """Captions of as many images as there are labels, one each of those that are captioned."""
    captioned = range(len(labels)) if captioned is None else captioned
    owners = torch.tensor(list(captioned), dtype=torch.int64)
    mask = torch.isin(torch.arange(len(labels)), owners)
    return CaptionBatch(
        texts=torch.zeros(len(owners), 16, dtype=torch.int64),
        image_ids=torch.arange(len(labels)),
        caption_image_ids=owners,
        caption_keys=owners + 50,
        object_counts=torch.zeros(len(labels), OBJECTS),
        captioned=None if mask.all() else mask,
        labels=labels,
    )


def texts_of(count, width=8):
    return TextFeatures(unit(count, 1, width), torch.ones(count, 1, dtype=torch.bool), unit(count, width, seed=7))


def test_one_label_is_the_cross_entropy_over_prototypes():
    head = head_of(cluster_weight=0, align_weight=0, label_weight=0.3)
    images, prototypes = unit(4, 8), unit(3, 8, seed=1)
    captions = batch_of([{'pond': 1.0}, {}, {'quarry': 7.0}, {'airport': 1.0}], captioned=(1,))
    losses = head.loss(NeckOutput.of(images), texts_of(1), captions, prompts=prototypes)
    want = F.cross_entropy(images[[0, 2, 3]] @ prototypes.T / 0.07, torch.tensor([1, 2, 0]))
    assert losses.keys() == {'loss_label'} and losses['loss_label'].item() == pytest.approx(0.3 * want.item(), rel=1e-5)


def test_several_labels_are_the_tempered_distribution():
    """Two airports at frequency 1/2 and one pond at 1/8, tempered by 1/2: 2 sqrt 2 to sqrt 8, one half each."""
    head = head_of(cluster_weight=0, align_weight=0, label_weight=1.0, temperature=1.0)
    image, prototypes = torch.eye(3)[:1], torch.eye(3)
    captions = batch_of([{'airport': 2.0, 'pond': 1.0}], captioned=())
    loss = head.loss(NeckOutput.of(image), texts_of(0), captions, prompts=prototypes)['loss_label'].item()
    p = np.exp([1, 0, 0]) / np.exp([1, 0, 0]).sum()
    assert loss == pytest.approx(0.5 * np.log(0.5 / p[0]) + 0.5 * np.log(0.5 / p[1]), rel=1e-5)


def test_alignment_is_of_captioned_images_alone():
    images, texts = unit(5, 8), texts_of(3)
    captions = batch_of([{'pond': 1.0}] * 5, captioned=(0, 2, 4))
    head = head_of(cluster_weight=0, label_weight=0.3)
    mixed = head.loss(NeckOutput.of(images), texts, captions, prompts=unit(3, 8, seed=1))
    alone = MODELS.build(dict(type='ContrastiveHead'))
    rows = torch.tensor([0, 2, 4])
    want = alone.loss(NeckOutput.of(images[rows]), texts, captions._replace(image_ids=rows, captioned=None))
    assert mixed['loss_align'].item() == want['loss_align'].item()


def test_captions_and_labels_have_prototypes_of_their_own():
    """Two categories of captions, then three of labels, each clustered in its own softmax."""
    head = head_of(label_weight=0.3)
    frequency = torch.zeros(OBJECTS)
    frequency[[4, 9]] = torch.tensor([0.25, 0.5])
    head.set_object_frequency(frequency)
    tokens = head.prompt_tokens
    assert torch.equal(tokens[:2], head.all_prompt_tokens[[9, 4]]) and torch.equal(tokens[2:], head.tokens_of(LABELS))
    prototypes, images = unit(5, 8, seed=1), unit(2, 8)
    captions = batch_of([{}, {'quarry': 1.0}], captioned=(0,))
    captions.object_counts[0, 4] = 0.4
    losses = head.loss(NeckOutput.of(images), texts_of(1), captions, prompts=prototypes)
    by_captions = F.cross_entropy(images[:1] @ prototypes[:2].T / 0.07, torch.tensor([1])).item()
    by_labels = F.cross_entropy(images[1:] @ prototypes[2:].T / 0.07, torch.tensor([2])).item()
    assert losses['loss_cluster'].item() == pytest.approx(0.1 * by_captions, rel=1e-5)
    assert losses['loss_label'].item() == pytest.approx(0.3 * by_labels, rel=1e-5)


def test_unknown_and_missing_labels_are_one_sentence():
    head = head_of(cluster_weight=0, label_weight=0.3)
    arguments = NeckOutput.of(unit(1, 8)), texts_of(1)
    with pytest.raises(ConfigError, match="the label 'desert' is none of the 3 of the training data"):
        head.loss(*arguments, batch_of([{'desert': 1.0}]), prompts=unit(3, 8))
    fresh = MODELS.build(dict(type='OSFCMHead', tokenizer=TOKENIZER, cluster_weight=0, label_weight=0.3))
    with pytest.raises(
        ConfigError, match='labels are not set; add .*ObjectFrequencyHook.* and train on images with la'
    ):
        _ = fresh.prompt_tokens
    with pytest.raises(
        ConfigError, match='needs training images with labels of two categories or more, and there are 1'
    ):
        fresh.set_label_frequency({'pond': 1.0})
    with pytest.raises(ConfigError, match='label_weight must be a number of at least 0'):
        head_of(label_weight=-1)


def mixed_batch(ids):
    """Images of `CAPTIONED` with their captions, the others with a label alone."""
    data = batch(ids, captions_each=2, num_objects=OBJECTS)
    for sample in data['data_samples']:
        if sample.image_id not in CAPTIONED:
            sample.caption_ids, sample.caption_keys = sample.caption_ids[:0], sample.caption_keys[:0]
            sample.tokens, sample.object_counts = sample.tokens[:0], sample.object_counts * 0
        if sample.image_id not in CAPTIONED or sample.image_id == 1:
            sample.labels = {list(LABELS)[sample.image_id % 3]: 1.0}
    return data


def model_of(**changes):
    changes.setdefault('head', dict(type='OSFCMHead', tokenizer=TOKENIZER, num_objects=6, label_weight=0.3))
    model = build(**changes).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if hasattr(model.head, 'set_label_frequency'):
        model.head.set_label_frequency(LABELS)
    return model


def test_collation_of_images_without_captions():
    samples = mixed_batch(range(6))['data_samples']
    captions = collate_captions(samples, torch.device('cpu'))
    assert captions.captioned.tolist() == [True] * 3 + [False] * 3
    assert captions.caption_image_ids.tolist() == [0, 0, 1, 1, 2, 2] and captions.texts.shape == (6, 16)
    assert captions.labels == [{}, {'pond': 1.0}, {}, {'airport': 1.0}, {'pond': 1.0}, {'quarry': 1.0}]
    captions = collate_captions(samples[:3], torch.device('cpu'))
    assert captions.captioned is None and captions.labels == [{}, {'pond': 1.0}, {}]
    for sample in samples:  # as cached features come
        count = len(sample.caption_ids)
        sample.tower_pooled = np.ones((count, 4), np.float32)
        sample.tower_words = np.ones((count, 3 if count else 0, 4), np.float32)
        sample.tower_lengths = np.full(count, 3)
    texts = collate_captions(samples, torch.device('cpu')).texts
    assert texts.words.shape == (6, 3, 4) and texts.mask.all() and texts.pooled.shape == (6, 4)
    none = collate_captions(samples[3:], torch.device('cpu'))
    assert none.texts.shape == (0, 16) and none.caption_keys.shape == none.caption_image_ids.shape == (0,)


@pytest.mark.parametrize(
    'head',
    [
        dict(type='ContrastiveHead'),
        dict(type='MatchingHead', losses=[dict(type='TripletLoss')]),
        dict(type='HVSAHead'),
    ],
)
def test_heads_of_pairs_refuse_images_without_captions(head):
    model = model_of(head=head)
    sentence = f'{head["type"]}: 3 of 6 images of the batch have no captions; train on labels with OSFCMHead'
    with pytest.raises(ConfigError, match=sentence):
        model(**model.data_preprocessor(mixed_batch(range(6)), training=True), mode='loss')


def step(model, ids):
    losses = model(**model.data_preprocessor(mixed_batch(ids), training=True), mode='loss')
    sum(losses.values()).backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: loss.item() for name, loss in losses.items()}, grads


@pytest.mark.parametrize('ids', [range(6), (3, 4, 5), (0, 2)], ids=['both kinds', 'no captions', 'no labels'])
def test_any_batch_gives_finite_losses_and_gradients(ids):
    losses, grads = step(model_of(), ids)
    assert losses.keys() == {'loss_align', 'loss_cluster', 'loss_label'} and np.isfinite(list(losses.values())).all()
    assert all(torch.isfinite(grad).all() for grad in grads.values())
    assert (losses['loss_align'] > 0) == (0 in ids) and (losses['loss_label'] > 0) == (4 in ids)


@pytest.mark.parametrize('chunk', [1, 4])
def test_gradient_cache(chunk):
    (losses, grads), (want, want_grads) = step(model_of(grad_cache_chunk=chunk), range(6)), step(model_of(), range(6))
    assert losses == pytest.approx(want, rel=1e-5) and grads.keys() == want_grads.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(grad, want_grads[name], rtol=1e-3, atol=2e-6, msg=name)


def losses_and_gradients(cases):
    """One step under DDP on this rank's share of six images for each case; gradients are what DDP left."""
    results = []
    for shares, local_rows in cases:
        alignment = dict(type='ContrastiveLoss', local_rows=local_rows)
        head = dict(type='OSFCMHead', tokenizer=TOKENIZER, num_objects=6, label_weight=0.3, alignment=alignment)
        model = model_of(head=head)
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        data = model.data_preprocessor(mixed_batch(shares[dist.get_rank()]), training=True)
        losses = wrapped(**data, mode='loss')
        sum(losses.values()).backward()
        grads = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
        results.append(({name: loss.item() for name, loss in losses.items()}, grads))
    return results


def test_two_processes_equal_one():
    """Also where a process has no captions at all, and where each computes its own rows of the scores."""
    (((want, want_grads),),) = run_distributed(losses_and_gradients, 1, [([tuple(range(6))], False)])
    cases = [(shares, rows) for shares in (((0, 1, 3), (2, 4, 5)), ((0, 1, 2), (3, 4, 5))) for rows in (False, True)]
    for results in run_distributed(losses_and_gradients, 2, cases):
        for losses, grads in results:
            assert losses == pytest.approx(want, rel=1e-6, abs=1e-6) and grads.keys() == want_grads.keys()
            for name, grad in grads.items():
                np.testing.assert_allclose(grad, want_grads[name], rtol=1e-3, atol=2e-5, err_msg=name)
