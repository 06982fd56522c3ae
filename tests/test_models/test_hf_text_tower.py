import logging
import os
import pickle
from unittest import mock

import pytest
import torch
import transformers
from mmengine.config import ConfigDict

from osdpm_plugin.errors import CheckpointError, ConfigError
from osdpm_plugin.models.backbones import HFTextTower
from osdpm_plugin.models.pooling import masked_mean
from osdpm_plugin.registry import MODELS
from tests.helpers.payload import makes

SIZES = dict(vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32)
SIZES['max_position_embeddings'] = 20
BERT = dict(SIZES, model_type='bert')
KINDS = {
    'bert': BERT,
    'roberta': dict(SIZES, model_type='roberta', pad_token_id=1),
    'mpnet': dict(SIZES, model_type='mpnet', pad_token_id=1),
    'distilbert': dict(
        model_type='distilbert', vocab_size=50, dim=16, n_layers=3, n_heads=2, hidden_dim=32, max_position_embeddings=20
    ),
    'modernbert': dict(
        SIZES,
        model_type='modernbert',
        pad_token_id=0,
        cls_token_id=1,
        sep_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
        global_attn_every_n_layers=2,
        local_attention=8,
    ),
}


def tower(config=BERT, **kwargs):
    torch.manual_seed(0)
    return HFTextTower(config=config, **kwargs)


def tokens(pad=0):
    """(3, 12) int64 with 3, 7 and 5 tokens."""
    rows = torch.full((3, 12), pad)
    for row, count in enumerate((3, 7, 5)):
        rows[row, :count] = torch.arange(10 + row, 10 + row + count)
    return rows


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder as `save_pretrained` writes it."""
    path = str(tmp_path_factory.mktemp('hf') / 'model')
    torch.manual_seed(0)
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model(**BERT)).save_pretrained(path)
    return path


def test_masked_mean_by_hand():
    rows = [[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]], [[5.0, 6.0], [0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0]] * 3]
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    assert masked_mean(torch.tensor(rows), mask).tolist() == [[2.0, 3.0], [5.0, 6.0], [0.0, 0.0]]


def test_folder_equals_transformers_without_trim(folder):
    model = transformers.AutoModel.from_pretrained(folder).eval()
    rows = tokens()
    with torch.no_grad():
        features = HFTextTower(name_or_path=folder).eval()(rows)
        words = model(input_ids=rows, attention_mask=(rows != 0).long()).last_hidden_state
    assert features.words.shape == (3, 7, 16)
    assert features.mask.tolist() == (rows != 0)[:, :7].tolist()
    for row, count in enumerate((3, 7, 5)):
        torch.testing.assert_close(features.words[row, :count], words[row, :count])
        torch.testing.assert_close(features.pooled[row], words[row, :count].mean(dim=0))


@pytest.mark.parametrize('kind', KINDS)
def test_trim_and_batch_do_not_change_the_result(kind):
    model = tower(KINDS[kind]).eval()
    rows = tokens(model.padding_idx)
    assert model.width == model.embed_dim == 16
    with torch.no_grad():
        together = model(rows)
        alone = [model(rows[i : i + 1]) for i in range(3)]
    assert [f.words.shape[1] for f in alone] == [3, 7, 5]
    torch.testing.assert_close(together.pooled, torch.cat([f.pooled for f in alone]), rtol=0, atol=1e-5)


def test_cls_pooling():
    features = tower(pooling='cls').eval()(tokens())
    assert torch.equal(features.pooled, features.words[:, 0])


def test_padding_alone():
    model = tower().eval()
    features = model(torch.zeros(2, 12, dtype=torch.long))
    assert features.words.shape == (2, 1, 16) and features.words.isfinite().all()
    assert not features.mask.any() and not features.pooled.any()
    rows = tokens()
    rows[1] = 0
    features = model(rows)
    assert features.words.isfinite().all() and not features.pooled[1].any() and features.pooled[0].any()


def test_precision():
    low, full = tower(precision='bf16').eval(), tower().eval()
    a, b = low(tokens()), full(tokens())
    assert a.words.dtype == a.pooled.dtype == torch.float32
    assert torch.cosine_similarity(a.pooled, b.pooled).min() > 0.99


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('kept', [None, 1, 2])
def test_gradients_reach_what_is_trained_and_nothing_else(kind, kept):
    model = tower(KINDS[kind], trainable_layers=kept).train()
    features = model(tokens(model.padding_idx))
    (features.pooled.square().sum() + (features.words * features.mask[..., None]).square().sum()).backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for name, param in model.named_parameters():
        assert (param.grad is not None) == (name in trained), name
    if kept is None:
        assert len(trained) == len(list(model.parameters()))
    else:
        numbers = {int(part) for name in trained for part in name.split('.') if part.isdigit()}
        assert numbers and min(numbers) >= 3 - kept
        assert not any('embeddings' in name for name in trained)


def test_frozen_stays_in_eval_mode():
    model = tower(frozen=True)
    parent = torch.nn.ModuleList([model]).train()
    assert parent.training and not any(m.training for m in model.modules())
    assert not any(p.requires_grad for p in model.parameters())
    assert not model(tokens()).pooled.requires_grad
    assert torch.equal(model(tokens()).pooled, model(tokens()).pooled)  # no dropout


def test_dropout_of_frozen_layers_is_off():
    model = tower(trainable_layers=1).train()
    layers = model.encoder.encoder.layer
    assert not any(m.training for m in layers[1].modules()) and layers[2].training
    assert any(m.training for m in layers[2].modules() if isinstance(m, torch.nn.Dropout))


def test_grad_checkpointing():
    config = dict(BERT, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    plain, saving = tower(config).train(), tower(config, grad_checkpointing=True).train()
    for model in (plain, saving):
        model(tokens()).pooled.square().sum().backward()
    for (name, a), (_, b) in zip(plain.named_parameters(), saving.named_parameters()):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_init_weights_does_not_draw_again(folder):
    model = HFTextTower(name_or_path=folder)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.init_weights()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_architecture_only(folder):
    model = HFTextTower(name_or_path=folder, pretrained=False)
    loaded = HFTextTower(name_or_path=folder)
    assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in loaded.state_dict().items()}
    assert not torch.equal(*(m.encoder.embeddings.word_embeddings.weight for m in (model, loaded)))


def test_half_precision_weights_come_as_float32(folder, tmp_path):
    transformers.AutoModel.from_pretrained(folder).half().save_pretrained(tmp_path)
    assert all(p.dtype == torch.float32 for p in HFTextTower(name_or_path=str(tmp_path)).parameters())


def test_loading_is_silent_and_restores_the_settings(folder, capfd, caplog):
    from transformers.utils import logging as hf_logging

    before = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    with caplog.at_level(logging.WARNING):
        HFTextTower(name_or_path=folder)
    out = capfd.readouterr()
    assert out.out == out.err == '' and not caplog.records
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()) == before


def test_registered_and_pickled():
    model = MODELS.build(ConfigDict(type='HFTextTower', config=BERT, frozen=True))
    assert torch.equal(pickle.loads(pickle.dumps(model))(tokens()).pooled, model(tokens()).pooled)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(), 'either name_or_path or config'),
        (dict(config=BERT, name_or_path='x'), 'either name_or_path or config'),
        (dict(config=BERT, pooling='max'), "pooling must be one of 'mean', 'cls', got 'max'"),
        (dict(config=dict(hidden_size=8)), 'model_type'),
        (dict(config=dict(model_type='no_such_model')), 'cannot build'),
        (dict(config=BERT, trainable_layers=4), 'trainable_layers must be .* to 3, got 4'),
        (dict(config=BERT, frozen=True, trainable_layers=1), 'contradict'),
        (dict(config=BERT, frozen=True, grad_checkpointing=True), 'no backward pass'),
        (dict(config=dict(model_type='t5', d_model=16, num_layers=1, num_heads=2, d_ff=16, vocab_size=50)), 'is none'),
        (dict(config=dict(BERT, pad_token_id=None)), 'padding_idx'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        HFTextTower(**options)


@pytest.mark.parametrize('kind, limit', [('bert', 20), ('roberta', 18)])
def test_caption_beyond_the_position_table(kind, limit):
    model = tower(KINDS[kind]).eval()
    assert model.context_length == limit
    model(torch.full((1, limit), 5))
    with pytest.raises(ConfigError, match=f'at most {limit} tokens, got {limit + 1}'):
        model(torch.full((1, limit + 1), 5))


@pytest.mark.parametrize('path', ['./nowhere', '/no/such/folder', 'a/b/c', '~/model', ''])
def test_missing_folder(path):
    with pytest.raises(CheckpointError, match='is not a folder'):
        HFTextTower(name_or_path=path)


def test_hub_out_of_reach(monkeypatch):
    refuse = mock.Mock(side_effect=OSError('We could not connect to https://huggingface.co'))
    monkeypatch.setattr(transformers.AutoModel, 'from_pretrained', refuse)
    with pytest.raises(CheckpointError, match='neither in the cache nor .* download the folder'):
        HFTextTower(name_or_path='someone/model')


def test_weights_that_do_not_belong_to_the_config(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    with pytest.raises(CheckpointError, match='does not hold one'):
        HFTextTower(name_or_path=str(tmp_path))  # an empty folder
    state = load_file(os.path.join(folder, 'model.safetensors'))
    transformers.AutoConfig.from_pretrained(folder).save_pretrained(tmp_path)
    key = 'encoder.layer.1.output.dense.weight'
    del state[key]
    save_file(state, str(tmp_path / 'model.safetensors'), metadata=dict(format='pt'))
    with pytest.raises(CheckpointError, match=f'1 weights are missing.*{key}'):
        HFTextTower(name_or_path=str(tmp_path))
    (tmp_path / 'model.safetensors').write_bytes(b'broken')
    with pytest.raises(CheckpointError, match='does not hold one'):
        HFTextTower(name_or_path=str(tmp_path))


def test_code_in_a_pickle_is_not_run(folder, tmp_path):
    transformers.AutoConfig.from_pretrained(folder).save_pretrained(tmp_path)
    proof = tmp_path / 'proof'
    torch.save({'embeddings.word_embeddings.weight': makes(proof)}, tmp_path / 'pytorch_model.bin')
    with pytest.raises(CheckpointError):
        HFTextTower(name_or_path=str(tmp_path))
    assert not proof.exists()
