"""``policy.json``: all that must be known to build a policy again, and to show it what it was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from gymnasium.spaces import Box
from msgspec import Meta

from jedi_sdk import checkpoint
from jedi_sdk.agent import JEDI
from jedi_sdk.checkpoint import CheckpointError, checked
from jedi_sdk.dream import View

SCHEMA = 1

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*\Z", max_length=100)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z", max_length=200)]
Branch = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*\Z", max_length=200)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Width = Annotated[int, Meta(ge=1, le=2**16)]
Widths = Annotated[tuple[Width, ...], Meta(max_length=16)]


@dataclass(frozen=True)
class Reference:
    """An agent by its short name, or as ``owner/name``. ``weights`` is the SHA-256 of its ``model.safetensors``."""

    name: Name
    revision: Branch | None
    weights: Digest


@dataclass(frozen=True)
class Trunk:
    """The arguments of ``LatentTrunk``."""

    features: Width
    channels: Width


@dataclass(frozen=True)
class Seen:
    """How the policy sees dreams and games, see ``jedi_sdk.dream.View``."""

    obs: Literal["latent", "features"]
    stack: Annotated[int, Meta(ge=1, le=1024)]

    def space(self, agent: JEDI) -> Box:
        return View(agent.world_model, self.obs, self.stack).space


@dataclass(frozen=True)
class Spec:
    """``kind`` is what ``library`` makes of ``trunk`` (None where no latents are seen) and ``arguments``, which its
    module in this folder checks. ``agent`` is None where the agent lies in the folder."""

    library: Literal["stable_baselines3", "tianshou"]
    library_version: Word
    kind: Word
    trunk: Trunk | None
    arguments: dict[str, Any]
    view: Seen
    agent: Reference | None
    jedi_sdk_version: Word

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA, **asdict(self)}


def read_spec(folder: Path) -> Spec:
    """What ``folder`` holds, each of its files whole. Raises ``CheckpointError``."""
    checkpoint.verify(folder, checkpoint.POLICY_FOLDER)
    path = folder / checkpoint.POLICY
    values = checkpoint.read_json(path)
    schema = values.pop("schema_version", None)
    if schema != SCHEMA or type(schema) is not int:
        raise CheckpointError(f"{path} has schema_version {schema!r:.80}, this jedi-sdk reads {SCHEMA}: upgrade it")
    return checked(Spec, values, f"{path} cannot be used: its")
