"""RSICD at 150 px as in resnet50_hvsa_rsicd150.py, with the word pieces of MiniLM."""

_base_ = [
    '../datasets/comparison_resnet50_minilm_rsicd150.py',
    '../schedules/adamw_50e_hvsa.py',
    '../comparison_patience_runtime.py',
]

optim_wrapper = dict(type='AutocastOptimWrapper')
train_dataloader = dict(batch_size=256)  # the released settings
