"""A policy to a folder: what to build, the weights, and the agent or its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from jedi_sdk import checkpoint
from jedi_sdk.agent import JEDI
from jedi_sdk.checkpoint import CheckpointError, checked
from jedi_sdk.hub import Hub, is_path, split_revision
from jedi_sdk.policies.library import library, name_of, shapes, weights
from jedi_sdk.policies.spec import Reference, Seen, Spec


def save_policy(
    model: Any,
    folder: str | Path,
    agent: JEDI | str,
    view: Mapping[str, Any] | None = None,
    revision: str | None = None,
    hub: Hub | None = None,
) -> Path:
    """Writes ``model``, a PPO, A2C or DQN of Stable-Baselines3 or an algorithm or policy of Tianshou, to ``folder``,
    whole or not at all, with the agent whose latents it reads.

    ``agent``: a ``JEDI`` is written into the folder; a short name or ``owner/name`` is written as a name, with the
    checksum of that agent's weights, for which it is looked up (at ``revision``, by ``hub``). ``view``: ``obs`` and
    ``stack``, as the envs had them that the policy was trained in (None: single latents). Raises ``CheckpointError``
    and ``HubError``.
    """
    folder = Path(folder).expanduser()
    seen: Seen = checked(Seen, {"obs": "latent", "stack": 1, **(view or {})}, "view cannot be saved: its")
    teacher, reference = (agent, None) if isinstance(agent, JEDI) else _looked_up(agent, revision, hub)
    if isinstance(agent, JEDI) and revision is not None:
        raise CheckpointError("revision= chooses a version of an agent given by name: leave it out")
    origin = name_of(model)
    described = library(origin).describe(model, seen.obs)
    said = {"view": asdict(seen), "agent": asdict(reference) if reference else None, **described}
    versions = {"library_version": version(origin.replace("_", "-")), "jedi_sdk_version": version("jedi-sdk")}
    spec: Spec = checked(Spec, {"library": origin, **versions, **said}, "the policy cannot be saved: its")
    policy = library(origin).policy_of(model)
    _refuse_misfit(policy, spec, teacher)
    files: dict[str, Any] = {
        checkpoint.POLICY: lambda path: checkpoint.write_json(path, spec.to_json()),
        checkpoint.POLICY_WEIGHTS: checkpoint.tensor_writer(weights(policy)),
    }
    if reference is None:
        files[checkpoint.EMBEDDED] = teacher.save_pretrained
    checkpoint.write_folder(folder, files, checkpoint.POLICY_FOLDER)
    return folder


def _looked_up(name: str, revision: str | None, hub: Hub | None) -> tuple[JEDI, Reference]:
    if not is_path(name):
        name, revision = split_revision(name, revision)
    agent = JEDI.from_pretrained(name, revision, device="cpu", **vars(hub or Hub()))
    assert agent.origin is not None
    if agent.origin.mine:
        raise CheckpointError(
            f"agent={name!r} is a folder on this machine, which others do not have: pass the agent itself, which is "
            "then written beside the policy, or push it and pass its owner/name"
        )
    digest = checkpoint.sha256(agent.origin.folder / checkpoint.MODEL)
    said = {"name": name, "revision": revision, "weights": digest}
    return agent, checked(Reference, said, "the agent's name cannot be saved: its")


def _refuse_misfit(policy: nn.Module, spec: Spec, agent: JEDI) -> None:
    """What is written must be what can be built again."""
    wanted, found = shapes(spec, agent), weights(policy)
    for name in sorted(wanted.keys() | found.keys()):
        there, needed = (tensors[name].shape if name in tensors else None for tensors in (found, wanted))
        if there != needed:
            raise CheckpointError(
                f"this policy's {name} is {_sized(there)}, but for this agent and {spec.view} it is {_sized(needed)}: "
                "pass the agent and the view that it was trained with, as in view={'stack': 4}"
            )


def _sized(shape: Any) -> str:
    return "missing" if shape is None else f"of {list(shape)}"
