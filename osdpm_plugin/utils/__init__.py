"""Tools that every room uses.

- ``checks``: a value of a config -> the value, or one sentence that says what it must be;
- ``dist``: tensors of all processes -> one tensor; the model inside its wrapper;
- ``files``: content -> a file that is either complete or absent; a walk through folders;
- ``hashing``: a file or a tensor -> its hash or the bytes to hash.
"""
