_base_ = ['../_base_/models/comparison/camp_bce.py', '../_base_/comparison/published_rsitmd.py']
