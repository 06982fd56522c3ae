_base_ = [
    '../_base_/datasets/comparison_rsicd.py',
    '../_base_/models/comparison/galr.py',
    '../_base_/schedules/adam_70e.py',
    '../_base_/comparison_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released rate; the released number of epochs is 50, not 70
