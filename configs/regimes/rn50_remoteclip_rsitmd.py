"""RSITMD on RemoteCLIP RN50, frozen: necks, adapters and temperature are trained."""

_base_ = ['../_base_/datasets/rsitmd.py', '../_base_/models/osdpm_remoteclip_rn50.py', '../_base_/regimes/frozen.py']
