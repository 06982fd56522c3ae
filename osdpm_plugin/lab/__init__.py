"""What only the commands use. Nothing outside imports it: without it the plugin still trains, evaluates and searches.

- ``data``: downloads and folders -> data sets in their official layout, verified and searched for duplicates;
- ``experiments``: configs and seeds -> result files -> means, intervals and tables;
- ``report``: work dirs -> one HTML page;
- ``benchmarks``: this plugin and other code -> speed and memory, side by side.
"""
