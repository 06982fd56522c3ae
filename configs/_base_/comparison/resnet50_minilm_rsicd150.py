"""RSICD at 150 px as in resnet50_rsicd150.py, with the word pieces of MiniLM."""

_base_ = [
    '../datasets/comparison_resnet50_minilm_rsicd150.py',
    '../schedules/adam_70e.py',
    '../comparison_patience_runtime.py',
]

optim_wrapper = dict(type='AutocastOptimWrapper')
