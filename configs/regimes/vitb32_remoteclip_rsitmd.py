"""RSITMD on RemoteCLIP ViT-B/32, frozen: necks, adapters and temperature are trained."""

_base_ = [
    '../_base_/datasets/rsitmd.py',
    '../_base_/regimes/remoteclip_vitb32.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]
