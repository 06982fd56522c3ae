"""The gradient cache: gradients of the whole batch, activations of a chunk."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.retrievers import grad_cache
from osdpm_plugin.models.retrievers.grad_cache import in_chunks
from osdpm_plugin.structures import ImageFeatures
from tests.helpers.tiny_models import CLIP, EMBED_DIM, TOKENIZER, batch, build

OBJECTS = len(build().head.lexicon)
MATCHING = dict(type='MatchingHead', losses=[dict(type='TripletLoss')])


def model_of(dropout=0.0, **changes):
    """The tiny OSDPM in training, under one rate of dropout everywhere."""
    model = build(**changes).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return model


def step(model, images=10, dtype=None):
    """Losses and gradients of a batch with two captions of each image."""
    data = batch(range(images), captions_each=2, num_objects=OBJECTS)
    torch.manual_seed(1)
    with torch.autocast('cpu', dtype=dtype, enabled=dtype is not None):
        losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    sum(losses.values()).backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: loss.item() for name, loss in losses.items()}, grads


def assert_same(got, want, **tolerance):
    assert got[0] == pytest.approx(want[0], rel=1e-5)
    assert got[1].keys() == want[1].keys()
    for name, grad in got[1].items():
        torch.testing.assert_close(grad, want[1][name], **tolerance, msg=lambda text, at=name: f'{at}: {text}')


@pytest.mark.parametrize('chunk', [1, 4, 64])
def test_gradients_are_those_of_the_whole_batch(chunk):
    """Ten images, twenty captions and six prompts, which 4 does not divide."""
    want = step(model_of())
    assert {'loss_align', 'loss_cluster'} == want[0].keys()
    assert_same(step(model_of(grad_cache_chunk=chunk)), want, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize(
    'changes',
    [
        dict(head=MATCHING),
        dict(image_tower=dict(type='OpenCLIPImageTower', model=CLIP, frozen=True)),
        dict(text_tower=dict(type='OpenCLIPTextTower', model=CLIP, frozen=True)),
        dict(image_tower=dict(type='OpenCLIPImageTower', model=CLIP, grad_checkpointing=True)),
    ],
    ids=['matching', 'frozen images', 'frozen texts', 'checkpointing'],
)
def test_with_other_parts(changes):
    assert_same(step(model_of(grad_cache_chunk=4, **changes)), step(model_of(**changes)), rtol=1e-3, atol=2e-6)


def test_both_passes_draw_the_same_dropout(monkeypatch):
    """Without recomputation, but with the same chunks, every bit is the same; and dropout has an effect."""
    cached = step(model_of(dropout=0.5, grad_cache_chunk=4))
    monkeypatch.setattr(grad_cache, 'checkpoint', lambda encode, rows, use_reentrant: encode(rows))
    kept = step(model_of(dropout=0.5, grad_cache_chunk=4))
    assert_same(cached, kept, rtol=0, atol=0)
    assert kept[0] != pytest.approx(step(model_of())[0], rel=1e-3)


def test_under_autocast(monkeypatch):
    cached = step(model_of(grad_cache_chunk=4), dtype=torch.bfloat16)
    monkeypatch.setattr(grad_cache, 'checkpoint', lambda encode, rows, use_reentrant: encode(rows))
    kept = step(model_of(grad_cache_chunk=4), dtype=torch.bfloat16)
    assert_same(cached, kept, rtol=0, atol=0)


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors that were made inside and are still alive, and their peak."""

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0
        self._known = weakref.WeakSet()

    def _release(self, size):
        self.live -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor) and value.untyped_storage() not in self._known:
                storage = value.untyped_storage()
                self._known.add(storage)
                size = storage.nbytes()
                self.live += size
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._release, size)
        return result


def peak_bytes(images, chunk):
    model = model_of(grad_cache_chunk=chunk, head=dict(type='ContrastiveHead'))
    model.text_tower.text.token_embedding.requires_grad_(False)  # its gradient would outweigh all activations
    with LiveBytes() as count:
        step(model, images)
    return count.peak


def test_memory_is_that_of_a_chunk():
    """64 images in chunks of 8 against one chunk; and twice the images cost little more than their pixels."""
    whole, chunked, half = peak_bytes(64, 64), peak_bytes(64, 8), peak_bytes(32, 8)
    assert chunked < whole / 3
    assert chunked - half < (whole - peak_bytes(32, 32)) / 10


def test_rows_of_any_features():
    """Chunks of 2 of 5 rows: w * (sum of each row's map + pooled) by hand, None parts left alone."""
    seen = []
    weight = torch.tensor(3.0, requires_grad=True)

    def encode(features):
        seen.append(len(features.maps[0]))
        assert features.regions is None
        return weight * (features.maps[0].sum(dim=(1, 2, 3)) + features.pooled[:, 0])[:, None]

    maps, pooled = torch.arange(20.0).view(5, 1, 2, 2), torch.ones(5, 1)
    out = in_chunks(encode, ImageFeatures(maps=(maps,), pooled=pooled), 2)
    assert out.flatten().tolist() == [3 * (16 * i + 6 + 1) for i in range(5)] and seen == [2, 2, 1]
    out.sum().backward()
    assert weight.grad.item() == 190 + 5 and seen[3:] == [1, 2, 2]  # the last chunk first


@pytest.mark.parametrize('chunk', [0, -1, 2.0, True, 'all'])
def test_chunk_out_of_range(chunk):
    with pytest.raises(ConfigError, match='grad_cache_chunk must be a whole number of at least 1'):
        build(grad_cache_chunk=chunk)


def test_what_it_cannot_serve():
    pairwise = dict(type='StackedCrossAttention', direction='t2i')
    detected = dict(type='GlobalLocalNeck', in_channels=(4, 8), embed_dims=EMBED_DIM, region_source='detected')
    with pytest.raises(ConfigError, match='compares words or regions; remove grad_cache_chunk'):
        build(grad_cache_chunk=4, head=MATCHING, similarity=pairwise)
    with pytest.raises(ConfigError, match='compares words or regions'):
        build(grad_cache_chunk=4, neck=detected)


def test_batch_normalisation():
    """Refused in training, unless its statistics are frozen."""

    def resnet(**options):
        tower = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, out_indices=(3,), **options)
        neck = dict(type='DAPN', in_channels=(64,), embed_dims=EMBED_DIM, pool_channels=64, channels=32)
        statistics = dict(type='RetrievalDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255))
        return dict(image_tower=tower, neck=neck, data_preprocessor=statistics)

    with pytest.raises(ConfigError, match=r'grad_cache_chunk: batch normalisation \(image_tower.*norm_eval=True'):
        step(model_of(grad_cache_chunk=4, **resnet()))
    frozen = resnet(norm_eval=True)
    assert_same(step(model_of(grad_cache_chunk=4, **frozen)), step(model_of(**frozen)), rtol=1e-3, atol=2e-6)


def test_evaluation_is_untouched():
    model = model_of(grad_cache_chunk=4).eval()
    data = model.data_preprocessor(batch(range(6), num_objects=OBJECTS))
    with torch.no_grad():
        losses = model(**data, mode='loss')
        want = build().eval()(**data, mode='loss')
    assert {k: v.item() for k, v in losses.items()} == {k: v.item() for k, v in want.items()}
    assert TOKENIZER['context_length'] == 16
