_base_ = [
    '_base_/datasets/rsitmd.py',
    '_base_/models/osdpm_clip.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]
