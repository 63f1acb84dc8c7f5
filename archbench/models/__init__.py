"""From a name on the command line to a network."""

from archbench.models.model import Input, Model
from archbench.models.names import is_several, parse
from archbench.models.source import source_hash

__all__ = ["Input", "Model", "is_several", "parse", "source_hash"]
