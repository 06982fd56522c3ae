"""Annotation files -> list of `ImageRecord`: file name, captions or labels, split; or an error of one sentence.

- ``read``: a file of any layout, told apart by its content; one file a layout: ``karpathy``, ``nwpu``, ``coco``,
  ``json_rows``, ``tables``, ``flickr_tokens``, ``image_folder``;
- ``text_files``, ``rows``, ``file_names``, ``records``: what they share, from bytes to records;
- ``labels_in_names``, ``label_files``, ``box_files``: labels of images that need no captions, from file names, tables
  and JSON, and boxes of YOLO, DOTA and COCO;
- ``split_conventions``, ``split_manifest``: splits by a named rule, and splits listed in files;
- ``exclude_list``: images to leave out.
"""
