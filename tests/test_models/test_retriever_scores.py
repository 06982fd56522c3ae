"""The retriever with a similarity: scores, what `predict` delivers, several processes, and VSE++."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.retrievers.gather import gather_images, gather_texts
from osdpm_plugin.models.similarities import DotProduct
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import CaptionBatch, NeckOutput, TextFeatures, as_text_features
from tests.helpers import tiny_models as tiny
from tests.helpers.distributed import run_distributed
from tests.helpers.paths import ROOT
from tests.helpers.word_features import batch, build

SHARES = {1: [range(7)], 2: [[5, 0, 3, 6], [1, 2, 4]]}


def test_dot_product_by_hand():
    images, texts = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0], [1.0, 0.0]])
    scores = DotProduct()(NeckOutput.of(images), as_text_features(texts))
    assert scores.tolist() == [[11.0, 17.0, 1.0], [-4.0, -6.0, 0.0]] and DotProduct.indexable
    half = DotProduct()(NeckOutput.of(images.bfloat16()), as_text_features(texts.bfloat16()))
    assert half.dtype == torch.float32 and torch.equal(half, scores)
    with pytest.raises(ConfigError, match='image embeddings have 2 values, text embeddings 3; set embed_dims'):
        DotProduct()(NeckOutput.of(images), as_text_features(torch.zeros(1, 3)))


def test_dot_product_is_the_default_and_has_no_weights():
    model = tiny.build(head=dict(type='MatchingHead', losses=[dict(type='TripletLoss')])).eval()
    assert isinstance(model.similarity, DotProduct) and not any('similarity' in key for key in model.state_dict())
    data = model.data_preprocessor(tiny.batch(range(5), captions_each=2))
    images, texts = model(**data, mode='tensor')
    captions = CaptionBatch(
        texts=as_text_features(texts),
        image_ids=torch.arange(5),
        caption_image_ids=torch.arange(5).repeat_interleave(2),
        caption_keys=torch.arange(10),
        object_counts=None,
    )
    want = model.head.loss(NeckOutput.of(images), captions.texts, captions, scores=images @ texts.mT)
    torch.testing.assert_close(model(**data, mode='loss'), want)


def test_a_pooled_text_is_its_only_word():
    model = tiny.build().eval()
    tokens = torch.from_numpy(tiny.batch(range(3))['data_samples'][1].tokens)
    texts = model.embed_texts(tokens)
    assert torch.equal(texts.words[:, 0], texts.pooled) and texts.mask.all() and texts.words.shape[1] == 1


def test_predictions_score_as_the_model_does():
    model = build().eval()
    data = batch(range(4), captions_each=3)
    with torch.no_grad():
        predictions = model(**model.data_preprocessor(data), mode='predict')
        inputs = model.data_preprocessor(data)['inputs']
        tokens = torch.cat([torch.from_numpy(s.tokens) for s in data['data_samples']])
        images, texts = model.embed_images(inputs), model.embed_texts(tokens)
        assert torch.equal(torch.stack([p.image_regions for p in predictions]), images.regions)
        assert torch.equal(torch.cat([p.text_embed for p in predictions]), texts.pooled)
        words = [w for p in predictions for w in p.text_words]
        assert [len(w) for w in words] == texts.mask.sum(dim=1).tolist() and len({len(w) for w in words}) > 1
        for row, caption in enumerate(words):
            alone = TextFeatures(caption[None], torch.ones(1, len(caption), dtype=torch.bool), texts.pooled[row, None])
            torch.testing.assert_close(model.score(images, alone)[:, 0], model.score(images, texts)[:, row])


def test_indexable_models_deliver_no_words():
    predictions = tiny.build().eval()
    data = predictions.data_preprocessor(tiny.batch(range(2)))
    with torch.no_grad():
        assert all('text_words' not in p and 'image_regions' not in p for p in predictions(**data, mode='predict'))


def test_every_parameter_gets_a_gradient():
    model = build()
    sum(model(**model.data_preprocessor(batch(range(6))), mode='loss').values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def losses_and_gradients():
    """One step of the tiny pair model under DDP on this rank's share; gradients are what DDP left."""
    world, rank = dist.get_world_size(), dist.get_rank()
    model = build().eval()  # batch statistics would differ
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    data = batch(SHARES[world][rank], captions_each=2)
    if rank == 0:  # another length of the padding on each process
        for sample in data['data_samples']:
            sample.tokens = sample.tokens[:, :9]
    losses = wrapped(**model.data_preprocessor(data), mode='loss')
    sum(losses.values()).backward()
    return {k: v.item() for k, v in losses.items()}, {n: p.grad.numpy() for n, p in model.named_parameters()}


def test_loss_and_gradient_of_two_processes_equal_those_of_one():
    ((want_losses, want_grads),) = run_distributed(losses_and_gradients, 1)
    assert want_losses['loss_triplet'] > 0
    for losses, grads in run_distributed(losses_and_gradients, 2):
        assert losses == pytest.approx(want_losses, rel=1e-5)
        for name, grad in grads.items():
            np.testing.assert_allclose(grad, want_grads[name], rtol=1e-3, atol=2e-5, err_msg=name)


def test_one_process_gathers_nothing():
    images = NeckOutput.of(torch.randn(2, 3), regions=torch.randn(2, 4, 3))
    texts = TextFeatures(torch.randn(2, 5, 3), torch.rand(2, 5) < 0.5, torch.randn(2, 3))
    assert gather_images(images).regions is images.regions and gather_images(images).embedding is images.embedding
    assert all(torch.equal(a, b) for a, b in zip(gather_texts(texts), texts))


def vsepp():
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(ROOT / 'configs/comparison/vsepp_rsicd.py').model)
    model.text_tower.embedding.set_vocabulary(w for i in range(9) for w in f'{i} some words'.split())
    return model


def test_vsepp_has_the_published_number_of_parameters():
    """15.78 M for VSE++ with a ResNet-18: 11.18 M, 0.53 M of the linear layer and 4.07 M of the GRU."""
    counts = {name: p.numel() for name, p in vsepp().named_parameters()}
    embedding = counts.pop('text_tower.embedding.weights.weight')
    assert embedding == 4096 * 300 and sum(counts.values()) == 15_775_296
    assert sum(counts.values()) / 1e6 == pytest.approx(15.78, rel=1e-3)


def test_vsepp_by_hand():
    """(L2 of the mean of the map) -> linear, against the unit mean of the states."""
    model = vsepp().eval()
    tokens = torch.from_numpy(batch(range(2))['data_samples'][0].tokens)
    with torch.no_grad():
        images = torch.randn(2, 3, 64, 64)
        mean = model.image_tower(images)[-1].mean(dim=(2, 3))
        want = (mean / mean.norm(dim=1, keepdim=True)) @ model.neck.linear.weight.T + model.neck.linear.bias
        torch.testing.assert_close(model.embed_images(images).embedding, want)
        text = model.text_tower(tokens)
        states = text.words[0][text.mask[0]].mean(dim=0)
        scores = model.score(model.embed_images(images), model.embed_texts(tokens))
        torch.testing.assert_close(scores[:, 0], want @ states / states.norm())
