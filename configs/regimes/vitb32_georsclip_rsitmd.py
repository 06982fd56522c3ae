"""RSITMD on GeoRSCLIP ViT-B/32, frozen: necks, adapters and temperature are trained."""

_base_ = ['../_base_/datasets/rsitmd.py', '../_base_/models/osdpm_georsclip_vitb32.py', '../_base_/regimes/frozen.py']
