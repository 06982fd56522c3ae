_base_ = ['../_base_/models/comparison/amfmn_sim.py', '../_base_/comparison/published_words_rsicd.py']
