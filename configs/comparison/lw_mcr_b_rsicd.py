_base_ = ['../_base_/models/comparison/lw_mcr_b.py', '../_base_/comparison/published_rsicd.py']
