"""RSICD on RemoteCLIP ViT-B/32, frozen: necks, adapters and temperature are trained."""

_base_ = ['../_base_/datasets/rsicd.py', '../_base_/models/osdpm_remoteclip_vitb32.py', '../_base_/regimes/frozen.py']
