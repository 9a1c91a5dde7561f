"""Agents by name: the zoo that comes with the package, the Hugging Face Hub, and folders of one's own.

``resolve`` turns what a person typed into a checkpoint folder, ``pull`` and ``push`` move such folders, ``describe``
writes what people read in them. huggingface_hub is imported only where the network or its cache is needed.
"""

from .client import Hub
from .describe import describe
from .errors import HubError
from .past import begun_with, past
from .pull import pull
from .push import push, refuse_other_names
from .resolve import Found, is_path, published, resolve, split_revision
from .results import read_results
from .zoo import Entry, entries

__all__ = [
    "Entry",
    "Found",
    "Hub",
    "HubError",
    "begun_with",
    "describe",
    "entries",
    "is_path",
    "past",
    "published",
    "pull",
    "push",
    "read_results",
    "refuse_other_names",
    "resolve",
    "split_revision",
]
