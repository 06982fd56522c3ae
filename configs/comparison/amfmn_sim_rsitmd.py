_base_ = [
    '../_base_/datasets/comparison_rsitmd.py',
    '../_base_/models/comparison/amfmn_sim.py',
    '../_base_/schedules/adam_70e.py',
    '../_base_/comparison_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released settings for RSITMD
