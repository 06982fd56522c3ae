_base_ = [
    '../_base_/datasets/comparison_rsicd.py',
    '../_base_/models/comparison/hvsa.py',
    '../_base_/schedules/adamw_50e_hvsa.py',
    '../_base_/comparison_words_runtime.py',
]

train_dataloader = dict(batch_size=256)  # the released settings
