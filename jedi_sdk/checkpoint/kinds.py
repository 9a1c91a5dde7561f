"""The two kinds of folder that travel: an agent, and another library's policy for what an agent's dreams show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jedi_sdk.checkpoint.names import (
    AGENT_FILES,
    CHECKED_FILES,
    CONFIG,
    EMBEDDED,
    MANIFEST,
    MODEL,
    POLICY,
    POLICY_WEIGHTS,
    PUBLIC_FILES,
    README,
)


@dataclass(frozen=True)
class Kind:
    """Names of files, from the folder on: those it cannot be without, those with a checksum, those that travel."""

    title: str
    loader: str  # what to write in Python
    needed: tuple[str, ...]
    checked: tuple[str, ...]
    public: tuple[str, ...]


AGENT = Kind("an agent", "JEDI.from_pretrained", (CONFIG, MODEL), CHECKED_FILES, PUBLIC_FILES)
POLICY_FOLDER = Kind(
    title="a policy of another library",
    loader="jedi_sdk.policies.load_policy",
    needed=(POLICY, POLICY_WEIGHTS),
    checked=(POLICY, POLICY_WEIGHTS, f"{EMBEDDED}/{MANIFEST}"),  # which holds the checksums of the agent's files
    public=(POLICY, POLICY_WEIGHTS, MANIFEST, README, *(f"{EMBEDDED}/{name}" for name in (*AGENT_FILES, MANIFEST))),
)


def kind_of(folder: Path) -> Kind:
    return POLICY_FOLDER if (folder / POLICY).exists() else AGENT
