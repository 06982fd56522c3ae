"""UCM-Captions as in resnet50_ucm.py, with the word pieces of MiniLM."""

_base_ = [
    '../datasets/comparison_resnet50_minilm_ucm.py',
    '../schedules/adam_70e.py',
    '../comparison_patience_runtime.py',
]

optim_wrapper = dict(type='AutocastOptimWrapper')
