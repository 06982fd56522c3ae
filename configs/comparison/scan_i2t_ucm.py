_base_ = [
    '../_base_/datasets/comparison_ucm.py',
    '../_base_/models/comparison/scan_i2t.py',
    '../_base_/schedules/adam_70e.py',
    '../_base_/comparison_runtime.py',
]
