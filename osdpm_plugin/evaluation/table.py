"""Metrics -> the table that papers print."""

from __future__ import annotations

from collections.abc import Mapping


def recall_table(metrics: Mapping[str, float], *, prefix: str = 'retrieval') -> str:
    """Lines of text: recall both ways, median ranks, Rsum and mR.

    Args:
        metrics: what `ImageTextRecall` returns, keys ``<prefix>/i2t_R@1`` ..., percent.
        prefix: of the keys.
    """
    values = {key[len(prefix) + 1 :]: value for key, value in metrics.items() if key.startswith(f'{prefix}/')}
    topk = sorted(int(key.split('@')[1]) for key in values if key.startswith('i2t_R@'))
    head = '                ' + ''.join(f'{f"R@{k}":>8}' for k in topk) + f'{"median rank":>14}'
    lines = [head]
    for way, name in (('i2t', 'image to text'), ('t2i', 'text to image')):
        lines.append(
            f'{name:<16}' + ''.join(f'{values[f"{way}_R@{k}"]:8.2f}' for k in topk) + f'{values[f"{way}_medr"]:14.1f}'
        )
    lines.append(f'Rsum {values["Rsum"]:.2f}   mR {values["mR"]:.2f}   (percent)')
    return '\n'.join(lines)
