"""The zoo: agents with short names, each pinned to one revision by the checksums of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jedi_sdk import checkpoint

from .errors import HubError, UnreachableError

LIST = Path(__file__).parents[1] / "zoo.json"  # written by register.py
EMBEDDED = LIST.with_suffix("")  # the copies that are part of the package
ORG = "jedi-sdk"


@dataclass(frozen=True)
class Entry:
    """``revision`` is a tag that never moves; ``embedded`` the revision of the copy in the package, where there is
    one; ``files`` name -> SHA-256; ``size`` in bytes."""

    name: str
    repo: str
    revision: str
    embedded: str | None
    game: str
    mean: float
    stderr: float
    episodes: int
    size: int
    files: dict[str, str]

    @property
    def folder(self) -> Path:
        return EMBEDDED / self.name

    def row(self) -> list[str]:
        """For a table of the zoo: name, game, score, size."""
        score = f"{self.mean:.2f} ± {self.stderr:.2f} ({self.episodes})"
        return [self.name, self.game, score, f"{self.size / 1e6:.1f} MB"]

    def check(self, folder: Path) -> None:
        """Raises ``HubError`` for the first file in ``folder`` that is not the pinned one."""
        for name, digest in self.files.items():
            if not (folder / name).exists():
                raise UnreachableError(f"{name} of {self.repo} is missing: only a part of it could be fetched")
            if checkpoint.sha256(folder / name) != digest:
                raise HubError(
                    f"{name} of {self.repo} is not what {self.revision} of {self.name} was registered with (its "
                    "checksum differs). Try again; if it differs again, the repository was tampered with"
                )


def entries() -> dict[str, Entry]:
    """All agents with a short name."""
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    return {name: Entry(name=name, **values) for name, values in listed.items()}
