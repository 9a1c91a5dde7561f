"""An agent brought to this machine: into the cache, or as a folder of one's own."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from jedi_sdk import checkpoint

from .client import Hub
from .errors import HubError
from .resolve import resolve


def pull(name: str, to: str | Path | None = None, revision: str | None = None, hub: Hub | None = None) -> Path:
    """Fetches an agent by short name or ``owner/name``; the folder it is in, which is ``to`` if that is named.

    Raises ``HubError``, and ``CheckpointError`` where it is no agent, or ``to`` a folder with other things in it.
    """
    found = resolve(name, revision, hub)
    if found.mine:
        raise HubError(f"{name} is a folder on this machine already: there is nothing to pull")
    checkpoint.read_card(found.folder)  # what is no agent is not copied
    if to is None:
        return found.folder
    names = [name for name in checkpoint.PUBLIC_FILES if name != checkpoint.MANIFEST and (found.folder / name).exists()]
    checkpoint.write_folder(Path(to), {name: partial(shutil.copyfile, found.folder / name) for name in names})
    return Path(to)
