"""Both sides give the same numbers."""

import numpy as np
import pytest
from mmengine.logging import MMLogger

from osdpm_plugin.evaluation import ImageTextRecall
from osdpm_plugin.lab.benchmarks.recall import (
    CAPTIONS,
    Embeddings,
    compare_recall,
    loop_recall,
    made_up_embeddings,
    measure_memory,
    our_recall,
)


def test_loop_by_hand():
    """Images along x and y. Captions of the first: one along x, four along y; of the second: five along y but tilted.

    Image 0 finds its caption at rank 1. Image 1: captions along y are the first image's, four of them, before its own.
    """
    x, y, tilted = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
    embeddings = Embeddings(np.array([x, y], np.float32), np.array([x, y, y, y, y, *[tilted] * 5], np.float32))
    found = loop_recall(embeddings)
    assert found['i2t_R@1'] == 50.0 and found['i2t_R@5'] == 100.0 and found['i2t_medr'] == (1 + 5) / 2
    assert found['t2i_R@1'] == 60.0 and found['t2i_R@5'] == 100.0  # the tilted five, and the one along x


@pytest.mark.parametrize('noise', [0.1, 0.4, 2.0])
def test_both_sides_and_the_metric_agree(noise):
    embeddings = made_up_embeddings(40, 16, noise=noise)
    ours, loop = our_recall(embeddings), loop_recall(embeddings)
    assert ours == pytest.approx(loop, abs=1e-9) and 0 < loop['Rsum'] <= 600
    MMLogger.get_instance('mmengine', log_level='ERROR')
    metric = ImageTextRecall()
    metric.process(
        None,
        [
            dict(
                image_id=i,
                caption_ids=np.arange(CAPTIONS * i, CAPTIONS * (i + 1)),
                image_embed=embeddings.images[i],
                text_embed=embeddings.texts[CAPTIONS * i : CAPTIONS * (i + 1)],
            )
            for i in range(40)
        ],
    )
    from_metric = metric.evaluate(40)
    for name, value in loop.items():
        assert from_metric[f'retrieval/{name}'] == pytest.approx(value, abs=1e-9), name


def test_row():
    row = compare_recall(repeats=2, count=30, width=8, rates=dict(fp32_flops=1e9))
    assert row['greatest_difference'] < 1e-9 and row['flops'] == 2 * 30 * 150 * 8
    assert row['floor_s'] == row['flops'] / 1e9 and len(row['seconds']['ours']) == 2


def test_memory_is_measured_in_a_process_of_its_own():
    found = measure_memory(50, width=8)
    assert found['matrix_bytes'] == 4 * 50 * 250 and found['seconds'] > 0
    assert 0 <= found['added_bytes'] < 64 * 2**20
