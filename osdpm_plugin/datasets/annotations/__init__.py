"""Annotation files -> list of `ImageRecord`: file name, captions, split; or an error of one sentence.

- ``json_files``: Karpathy's JSON layout and that of NWPU-Captions;
- ``tables``: a user's own CSV, JSONL or JSON;
- ``split_conventions``, ``split_manifest``: splits by a named rule, and splits listed in a file;
- ``exclude_list``: images to leave out.
"""
