_base_ = [
    '../_base_/datasets/comparison_rsicd.py',
    '../_base_/models/comparison/lw_mcr_b.py',
    '../_base_/schedules/adam_70e.py',
    '../_base_/comparison_runtime.py',
]
