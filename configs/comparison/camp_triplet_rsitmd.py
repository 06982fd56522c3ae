_base_ = [
    '../_base_/datasets/comparison_rsitmd.py',
    '../_base_/models/comparison/camp_triplet.py',
    '../_base_/schedules/adam_70e.py',
    '../_base_/comparison_runtime.py',
]
