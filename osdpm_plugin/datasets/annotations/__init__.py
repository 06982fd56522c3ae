"""Annotation files -> list of `ImageRecord`: file name, captions, split; or one sentence that says what is wrong.

- ``json_files``: Karpathy's JSON layout and that of NWPU-Captions;
- ``tables``: a user's own CSV, JSONL or JSON;
- ``split_conventions``, ``split_manifest``: cuts by a named rule, and cuts written down;
- ``exclude_list``: images to leave out.
"""
