"""What only commands call. Nothing outside imports it: delete it, and the plugin still trains, evaluates and searches.

- ``data``: downloads and folders -> data sets in their official layout, checked and searched for what they repeat;
- ``experiments``: configs and seeds -> result files -> means, intervals and tables;
- ``report``: work dirs -> one HTML page;
- ``benchmarks``: this plugin and what it is compared with -> speed and memory, side by side.
"""
