"""Word embedding with its vocabulary, and the GRU on it, against a step-by-step oracle."""

import io

import pytest
import torch

from osdpm_plugin.datasets.text.word_tokenizer import WordTokenizer
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.backbones import GRUTextTower, WordEmbedding

WORDS = ['a', 'park', 'near', 'two', 'big', 'planes']
CAPTIONS = ['a park', 'two big planes near a park', 'two unknownword', 'planes', 'xyz', '']


def tokens_of(captions, length=8):
    return torch.from_numpy(WordTokenizer(context_length=length)(captions))


def tower(**options):
    torch.manual_seed(0)
    built = GRUTextTower(**dict(dict(vocab_size=20, word_channels=5, hidden_channels=4), **options))
    built.embedding.set_vocabulary(WORDS)
    return built.double()


def step(gru, x, h, layer, suffix):
    """One step of a GRU cell (Cho et al. 2014, with the reset gate where cuDNN has it)."""
    names = ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
    w_x, w_h, b_x, b_h = (getattr(gru, f'{name}_l{layer}{suffix}') for name in names)
    (r_x, z_x, n_x), (r_h, z_h, n_h) = (w_x @ x + b_x).chunk(3), (w_h @ h + b_h).chunk(3)
    r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
    return (1 - z) * torch.tanh(n_x + r * n_h) + z * h


def naive(module, caption, merge, pooling):
    """Words (n, C) and pooled (C,) of one caption, without padding, a word at a time."""
    words = WordTokenizer()([caption])[0]
    xs = list(module.embedding(torch.from_numpy(words[words != 0])[None])[0])
    for layer in range(module.gru.num_layers):
        ways = []
        for suffix in ['', '_reverse'][: module.directions]:
            h, states = torch.zeros(module.gru.hidden_size, dtype=torch.float64), []
            for x in xs if suffix == '' else xs[::-1]:
                h = step(module.gru, x, h, layer, suffix)
                states.append(h)
            ways.append(states if suffix == '' else states[::-1])
        last = [ways[0][-1], *([ways[1][0]] if len(ways) > 1 else [])]
        xs = [torch.cat(parts) for parts in zip(*ways)]

    def join(parts):
        return torch.stack(list(parts)).mean(dim=0) if merge == 'mean' else torch.cat(list(parts))

    states = torch.stack([join(parts) for parts in zip(*ways)])
    return states, states.mean(dim=0) if pooling == 'mean' else join(last)


@pytest.mark.parametrize('pooling', ['mean', 'last'])
@pytest.mark.parametrize('merge', ['mean', 'concat'])
@pytest.mark.parametrize(('bidirectional', 'layers'), [(False, 1), (True, 1), (True, 2)])
def test_equals_the_steps_by_hand(bidirectional, layers, merge, pooling):
    module = tower(bidirectional=bidirectional, num_layers=layers, merge=merge, pooling=pooling)
    features = module(tokens_of(CAPTIONS))
    assert features.mask.sum(dim=1).tolist() == [2, 6, 2, 1, 1, 0]
    assert module.width == module.embed_dim == (8 if bidirectional and merge == 'concat' else 4)
    for row, caption in enumerate(CAPTIONS[:-1]):
        words, pooled = naive(module, caption, merge, pooling)
        torch.testing.assert_close(features.words[row][features.mask[row]], words, rtol=0, atol=1e-12)
        torch.testing.assert_close(features.pooled[row], pooled, rtol=0, atol=1e-12)
    assert not features.words[~features.mask].any()
    assert not features.pooled[-1].any(), 'a caption without words has zeros'


@pytest.mark.parametrize('pooling', ['mean', 'last'])
def test_padding_and_company_change_nothing(pooling):
    module = tower(bidirectional=True, pooling=pooling)
    short, long = module(tokens_of(CAPTIONS, 6)), module(tokens_of(CAPTIONS, 47))
    assert long.words.shape == (6, 47, 4)
    torch.testing.assert_close(long.words[:, :6], short.words, rtol=0, atol=0)
    torch.testing.assert_close(long.pooled, short.pooled, rtol=0, atol=1e-15)  # the mean sums in another order
    for row, caption in enumerate(CAPTIONS):
        alone = module(tokens_of([caption]))
        torch.testing.assert_close(alone.pooled[0], short.pooled[row], rtol=0, atol=1e-14)


def test_every_parameter_gets_a_gradient_and_padding_none():
    module = tower(bidirectional=True, num_layers=2)
    module(tokens_of(CAPTIONS)).pooled.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())
    rows = module.embedding.weights.weight.grad.abs().sum(dim=1) > 0
    assert rows.tolist() == [False, True] + [True] * len(WORDS) + [False] * 12


def test_gradcheck():
    module = tower(bidirectional=True, hidden_channels=2, word_channels=2)
    tokens, weight = tokens_of(['a big park', 'two']), module.embedding.weights.weight.detach().clone()

    def pooled(w):
        return torch.func.functional_call(module, {'embedding.weights.weight': w}, (tokens,)).pooled

    assert torch.autograd.gradcheck(pooled, weight.requires_grad_())


def test_rows_of_the_vocabulary():
    embedding = WordEmbedding(10, 3)
    embedding.set_vocabulary(reversed([*WORDS, *WORDS]))
    rows = embedding.rows(tokens_of(['a park xyz', 'big planes near two'], 5))
    known = [*rows[0, :2].tolist(), *rows[1, :4].tolist()]
    assert sorted(known) == list(range(2, 8)), 'each word has a row of its own'
    assert rows[0, 2:].tolist() == [1, 0, 0] and rows[1, 4].item() == 0
    assert [embedding.vocabulary[r - 2] for r in known] == ['a', 'park', 'big', 'planes', 'near', 'two']
    assert not embedding(tokens_of(['']))[0].any(), 'padding is zero'
    other = WordEmbedding(10, 3)
    other.set_vocabulary(WORDS)
    assert torch.equal(other.word_ids, embedding.word_ids), 'the order of the words does not matter'
    assert embedding.holds(set(WORDS)) and not embedding.holds(set(WORDS[1:])) and not embedding.holds({*WORDS, 'x'})


def test_the_state_dict_is_self_contained():
    first = tower(bidirectional=True)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = GRUTextTower(vocab_size=20, word_channels=5, hidden_channels=4, bidirectional=True).double()
    assert not second.embedding.has_vocabulary and second.embedding.vocabulary == []
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert sorted(second.embedding.vocabulary) == sorted(WORDS)
    assert torch.equal(second(tokens_of(CAPTIONS)).pooled, first(tokens_of(CAPTIONS)).pooled)


def test_words_of_other_alphabets_and_long_ones():
    words = ['机', 'naïve', 'x' * 40, 'x' * 41]
    embedding = WordEmbedding(6, 2)
    embedding.set_vocabulary(words)
    rows = embedding.rows(tokens_of([' '.join(words)], 4))[0]
    assert sorted(rows.tolist()) == [2, 3, 4, 5]
    assert {embedding.vocabulary[r - 2] for r in rows[:2]} == set(words[:2])
    assert embedding.vocabulary[rows[2] - 2] == 'x' * 32


def test_errors():
    with pytest.raises(ConfigError, match=r"no vocabulary; load a checkpoint, or train with dict\(type='Vocab"):
        GRUTextTower(vocab_size=20)(tokens_of(['a']))
    with pytest.raises(ConfigError, match='have 6 words, and vocab_size=7 of the text tower takes 1 to 5; set it to 8'):
        WordEmbedding(7, 2).set_vocabulary(WORDS)
    with pytest.raises(ConfigError, match='have 0 words'):
        WordEmbedding(7, 2).set_vocabulary([])
    with pytest.raises(ConfigError, match='vocab_size must be at least 3'):
        WordEmbedding(2, 2)
    for options, message in (
        (dict(merge='sum'), "merge must be one of 'mean', 'concat', got 'sum'"),
        (dict(pooling='max'), "pooling must be one of 'mean', 'last', got 'max'"),
        (dict(hidden_channels=0), 'hidden_channels must be a whole number of at least 1, got 0'),
    ):
        with pytest.raises(ConfigError, match=message):
            GRUTextTower(vocab_size=20, **options)
