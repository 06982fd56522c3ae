"""SCAN, CAMP and MTFN have the sizes that were published for the remote-sensing comparison.

The published counts are those of the towers' and the similarity's weights with the RSICD vocabulary. SCAN's and MTFN's
leave the word embedding out: their parts add up to the last digit without it. CAMP's adds up with it.
"""

import pytest

from tests.helpers.comparison_models import RSICD_WORDS, comparison_model, count

RESNET18 = 11_176_512  # convolutions and batch norms, without the classifier


def gru(inputs, hidden, directions):
    """Three gates, each with two matrices and two biases."""
    return directions * 3 * (hidden * (inputs + hidden) + 2 * hidden)


def linear(inputs, outputs):
    return inputs * outputs + outputs


@pytest.mark.parametrize('name', ['scan_t2i', 'scan_i2t'])
def test_scan(name):
    model = comparison_model(name, RSICD_WORDS)
    without_words = count(model) - count(model.text_tower.embedding)
    assert without_words == RESNET18 + gru(300, 512, 2) == 13_677_120
    assert without_words == pytest.approx(13.68e6, rel=0.001)


@pytest.mark.parametrize('name', ['camp_triplet', 'camp_bce'])
def test_camp(name):
    model = comparison_model(name, RSICD_WORDS)
    towers = RESNET18 + linear(512, 1024) + gru(300, 1024, 1)
    keys, fusions = 2 * 1024**2, 2 * linear(2048, 1024)
    summaries, scoring = 2 * (linear(1024, 1024) + linear(1024, 4)), linear(2048, 1024) + linear(1024, 1)
    without_words = count(model) - count(model.text_tower.embedding)
    assert without_words == towers + keys + fusions + summaries + scoring == 26_275_401
    assert count(model) == pytest.approx(27.03e6, rel=0.01)


def test_mtfn():
    """Published minus the skip-thoughts text side plus ours; skip-thoughts' GRU has one bias per gate."""
    model = comparison_model('mtfn', RSICD_WORDS)
    skip_thoughts = 3 * (620 * 2400 + 2400 * 2400 + 2400) + linear(2400, 1024)
    text = gru(300, 512, 2) + linear(512, 1024)
    fusion = 2 * 20 * linear(1024, 1024) + linear(1024, 1)
    assert RESNET18 + linear(512, 1024) + skip_thoughts + fusion == pytest.approx(77.90e6, rel=0.0001)
    without_words = count(model) - count(model.text_tower.embedding)
    assert without_words == RESNET18 + linear(512, 1024) + text + fusion == 56_712_769
    assert without_words == pytest.approx(77.90e6 - skip_thoughts + text, rel=0.01)
