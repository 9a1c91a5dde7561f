"""An agent, or a policy for its latents, brought to this machine: into the cache, or as a folder of one's own."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from jedi_sdk import checkpoint

from .client import Hub
from .errors import HubError
from .resolve import resolve


def pull(name: str, to: str | Path | None = None, revision: str | None = None, hub: Hub | None = None) -> Path:
    """Fetches an agent by short name or ``owner/name``, or a policy by the latter; the folder it is in, which is ``to``
    if that is named.

    Raises ``HubError``, also where one lies in ``to`` already, and ``CheckpointError`` where it is neither, or other
    things are in ``to``.
    """
    found = resolve(name, revision, hub)
    if found.mine:
        raise HubError(f"{name} is a folder on this machine already: there is nothing to pull")
    kind = checkpoint.kind_of(found.folder)
    if kind is checkpoint.AGENT:
        checkpoint.read_card(found.folder)  # what is no agent is not copied
    if to is None:
        return found.folder
    to = Path(to).expanduser()
    if (to / checkpoint.MANIFEST).exists():
        raise HubError(f"{to} holds an agent or a policy already: name a new folder, or delete that one first")
    names = [name for name in checkpoint.public(found.folder) if name != checkpoint.MANIFEST]
    checkpoint.write_folder(to, {name: partial(shutil.copyfile, found.folder / name) for name in names}, kind)
    return to
