"""Dot products that are the same bits in every block, and the ranks that follow from them."""

from __future__ import annotations

import os
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from osdpm_plugin.errors import MetricError
from osdpm_plugin.evaluation import ranks_from_embeddings, ranks_from_scores, score_matrix, summarise
from osdpm_plugin.evaluation.exact_scores import ExactScores, to_fixed_point


def embeddings(images: int, captions: int, width: int, seed: int = 0, unique: int = 0):
    """Unit rows; ``unique`` > 0 draws the captions from that many rows."""
    generator = torch.Generator().manual_seed(seed)
    image = normalize(torch.randn(images, width, generator=generator), dim=1)
    text = normalize(torch.randn(unique or captions, width, generator=generator), dim=1)
    if unique:
        text = text[torch.randint(unique, (captions,), generator=generator)]
    return image, text


def rounded(value: Fraction) -> float:
    """Nearest float32; float64 holds the value exactly, so that nothing is rounded twice."""
    assert Fraction(float(value)) == value
    return float(np.float32(float(value)))


@pytest.mark.parametrize('scale', [1.0, 3e-7, 40.0])
def test_fixed_point_against_fractions(scale):
    """Digits are on the grid, short enough, near the input, and the dot product is the exact one of the digits."""
    image, text = embeddings(5, 7, 33)
    image, text = image * scale, text * torch.linspace(0.01, 9, 7)[:, None]
    a, b = to_fixed_point(image), to_fixed_point(text)
    for fixed, rows in ((a, image), (b, text)):
        steps = fixed.digits * 2.0**26
        assert torch.equal(steps, steps.round())
        assert fixed.digits.norm(dim=1).max() <= 1.2001
        assert fixed.digits.norm(dim=1).min() >= 0.59
        error = fixed.digits * 2.0 ** fixed.exponent[:, None] - rows.double()
        assert (error.norm(dim=1) <= 2**-26 * 33**0.5 * rows.double().norm(dim=1)).all()
    scores = ExactScores(image, text).block(slice(0, 5), slice(0, 7))
    for n in range(5):
        for m in range(7):
            exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a.digits[n].tolist(), b.digits[m].tolist()))
            exact *= Fraction(2) ** int(a.exponent[n] + b.exponent[m])
            assert scores[n, m].item() == rounded(exact)


def test_unit_rows_share_one_exponent():
    """Norms a rounding above and below 1 must not fall to two exponents."""
    rows = normalize(torch.randn(500, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    assert to_fixed_point(rows).exponent.eq(0).all()
    assert to_fixed_point(torch.cat([rows.half(), torch.eye(64).half()])).exponent.eq(0).all()
    assert to_fixed_point(torch.zeros(2, 64)).exponent.tolist() == [0, 0]


def test_scores_are_near_the_float64_product():
    image, text = embeddings(50, 80, 512)
    error = score_matrix(image, text).double() - image.double() @ text.double().T
    assert error.abs().max() < 4e-8  # half a unit in the last place of a float32 in [0.25, 0.5) is 1.5e-8


def test_numbers_do_not_depend_on_chunks():
    """120 x 600 with 150 distinct captions, that is, ties in most rows: every chunk size gives the same counts."""
    image, text = embeddings(120, 600, 48, unique=150)
    image[60:] = image[:60]  # ties in columns too
    owner = torch.arange(600) % 120
    reference = ranks_from_embeddings(image, text, range(120), owner)
    assert (reference.i2t.tied > 1).sum() > 60
    assert (reference.t2i.tied >= 2).all()
    for chunk_size in (13, 64, 119, 600, 5000):
        found = ranks_from_embeddings(image, text, range(120), owner, chunk_size=chunk_size)
        for one, two in zip((*reference.i2t, *reference.t2i), (*found.i2t, *found.t2i)):
            assert torch.equal(one, two)


def test_order_and_threads_do_not_matter():
    """Permuted rows, permuted components and another number of threads: the same bits in other places."""
    image, text = embeddings(30, 70, 100)
    scores = score_matrix(image, text)
    generator = torch.Generator().manual_seed(5)
    rows, cols, parts = (torch.randperm(n, generator=generator) for n in (30, 70, 100))
    assert torch.equal(score_matrix(image[rows][:, parts], text[cols][:, parts], chunk_size=11), scores[rows][:, cols])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(score_matrix(image, text), scores)
    finally:
        torch.set_num_threads(threads)


def test_equal_captions_tie_as_the_oracle_says():
    """Counts of the embeddings equal those of the matrix, and of plain comparison in NumPy."""
    image, text = embeddings(40, 130, 32, unique=50)
    ids = torch.arange(40) * 3
    owner = ids[torch.arange(130) % 40]
    found = ranks_from_embeddings(image, text, ids, owner, chunk_size=16)
    matrix = score_matrix(image, text, chunk_size=9)
    ready = ranks_from_scores(matrix, ids, owner)
    assert summarise(found) == summarise(ready)
    scores, mine = matrix.numpy(), owner.numpy()
    for n in range(40):
        best = scores[n][mine == 3 * n].max()
        assert found.i2t.above[n] == (scores[n] > best).sum()
        assert found.i2t.tied[n] == (scores[n] == best).sum()
        assert found.i2t.pos[n] == (scores[n][mine == 3 * n] == best).sum()
    for m in range(130):
        assert found.t2i.above[m] == (scores[:, m] > scores[mine[m] // 3, m]).sum()
        assert found.t2i.tied[m] == (scores[:, m] == scores[mine[m] // 3, m]).sum()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_of_embeddings(dtype):
    image, text = (x.to(dtype) for x in embeddings(10, 30, 16))
    owner = torch.arange(30) // 3
    scores = (image.double() @ text.double().T).float()
    found, want = ranks_from_embeddings(image, text, range(10), owner), ranks_from_scores(scores, range(10), owner)
    assert summarise(found) == summarise(want)


def test_numpy_autocast_and_grad():
    image, text = embeddings(10, 30, 16)
    owner = torch.arange(30) // 3
    reference = summarise(ranks_from_embeddings(image, text, range(10), owner))
    assert summarise(ranks_from_embeddings(image.numpy(), text.numpy(), range(10), owner.numpy())) == reference
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = ranks_from_embeddings(image.requires_grad_(), text, range(10), owner)
    assert summarise(found) == reference
    assert not found.i2t.above.requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_gives_the_same_bits():
    image, text = embeddings(300, 1500, 512, unique=700)
    owner = torch.arange(1500) // 5
    image, text = image * torch.linspace(0.1, 9, 300)[:, None], text
    assert torch.equal(score_matrix(image.cuda(), text.cuda()), score_matrix(image, text))
    on_cpu = ranks_from_embeddings(image, text, range(300), owner)
    on_cuda = ranks_from_embeddings(image.cuda(), text.cuda(), torch.arange(300).cuda(), owner.cuda(), chunk_size=256)
    ready = ranks_from_scores(score_matrix(image, text).cuda(), range(300), owner.cuda())
    assert summarise(on_cuda) == summarise(on_cpu) == summarise(ready)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_embeddings_that_are_not_finite(value):
    image, text = embeddings(3, 4, 8)
    owner = [10, 20, 30, 30]
    bad = image.clone()
    bad[1:, 0] = value
    with pytest.raises(MetricError, match='2 of 3 image embeddings .* the first of image id 20'):
        ranks_from_embeddings(bad, text, [10, 20, 30], owner)
    bad = text.clone()
    bad[2, 5] = value
    with pytest.raises(MetricError, match='1 of 4 caption embeddings .* the first of caption id 77'):
        ranks_from_embeddings(image, bad, [10, 20, 30], owner, caption_ids=[1, 2, 77, 3])


def test_embeddings_that_do_not_fit():
    with pytest.raises(MetricError, match=r'\(2, 8\) and \(2, 9\)'):
        ranks_from_embeddings(torch.zeros(2, 8), torch.zeros(2, 9), [1, 2], [1, 2])
    with pytest.raises(MetricError, match='of one D'):
        ranks_from_embeddings(torch.zeros(2, 0), torch.zeros(2, 0), [1, 2], [1, 2])
    with pytest.raises(MetricError, match='L2-normalise'):
        ranks_from_embeddings(torch.full((1, 8), 1e30), torch.full((1, 8), 1e30), [1], [1])


def test_rsicd_size_is_fast():
    """1093 x 5465 from 512 components takes about 0.4 s on two cores; processor time does not count other programs."""
    image, text = embeddings(1093, 5465, 512)
    start = time.process_time()
    ranks_from_embeddings(image, text, range(1093), torch.arange(5465) // 5)
    assert time.process_time() - start < 5


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='reads memory from /proc')
def test_large_gallery_fits_in_two_gibibytes():
    """10 000 x 50 000 from 512 components: the resident set grows by less than 2 GiB."""
    image, text = embeddings(10_000, 50_000, 512)
    owner = torch.arange(50_000) // 5
    ranks_from_embeddings(image[:10], text[:50], range(10), owner[:50])  # load what is loaded on first use
    page, peak, done = os.sysconf('SC_PAGE_SIZE'), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            with open('/proc/self/statm') as file:
                peak[0] = max(peak[0], page * int(file.read().split()[1]))

    with open('/proc/self/statm') as file:
        before = page * int(file.read().split()[1])
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ranks = ranks_from_embeddings(image, text, range(10_000), owner)
    finally:
        done.set()
        watcher.join()
    assert len(ranks.t2i.above) == 50_000
    assert peak[0] - before < 2 * 2**30
