"""Remote-sensing image-text retrieval for OpenMMLab: object-aware, scale-adaptive, wired by config files.

Name this package in a config and every component is registered::

    custom_imports = dict(imports=['osdpm_plugin'], allow_failed_imports=False)

The map, in the order of the imports: a room imports those above it in this list, never those below. Each folder's
docstring says what goes in and what comes out.

The ground, values and words without behaviour::

    version       the version
    errors        what a user did wrong, in one sentence
    compat        which OpenMMLab stack is installed, and what it says on import
    registry      the registries that components are named in
    structures    typed values that travel between the rooms, and the letters of their shapes
    utils         files whole or absent, hashes, processes

The plugin::

    pretrained    weights and tokenizers of others: a name or a file -> architecture, verified tensors
    datasets      files -> one item an image -> transforms; object lexicon; procedural scenes
    models        pixels and tokens -> one joint space -> losses: DAPN, OSFCM, and the compared methods
    evaluation    predictions with ids -> recall, exact under ties
    visualization numbers and pixels -> figures
    features      the cache of what is frozen in towers: run it once, then train the rest
    engine        what mmengine builds by name: hooks, optimizer wrappers, strategy, checkpoints
    launch        command line and config file -> Runner, or the embeddings of a split
    search        words or an image -> ranked images, in memory: the public API
    archive       scenes of any size -> tiles -> stored embeddings -> places on a map; needs the extra of its name

The lab, which only commands call::

    lab           data sets prepared and audited, seeds and tables, the HTML report, benchmarks
"""

from .compat import check_stack, quieten

check_stack()
quieten()

from . import datasets, engine, evaluation, features, models  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'features', 'models']
