_base_ = ['../_base_/models/comparison/camp_triplet.py', '../_base_/comparison/published_rsicd.py']
