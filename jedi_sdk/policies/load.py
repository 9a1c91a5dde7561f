"""A policy from a folder or a repository, which may be a stranger's, with the agent and the envs that it needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.agent import JEDI
from jedi_sdk.checkpoint import CheckpointError
from jedi_sdk.hub import Found, Hub, published, resolve
from jedi_sdk.policies.library import Library, fresh, library, shapes
from jedi_sdk.policies.spec import Reference, Spec, read_spec


@dataclass(frozen=True)
class LatentPolicy:
    """``policy`` is the library's own object: Stable-Baselines3's ``evaluate_policy`` and Tianshou's ``Collector``
    take it, together with the envs that this makes."""

    policy: Any
    agent: JEDI
    spec: Spec

    @property
    def view(self) -> dict[str, Any]:
        """How it sees: ``obs`` and ``stack``, as ``agent.dream_env`` and ``agent.real_env`` take them."""
        return asdict(self.spec.view)

    def dream_env(self, num_envs: int = 1, horizon: int | None = None, **options: Any) -> Any:
        """Dreams as the policy sees them, as its library takes them; ``options`` are those of ``JEDI.dream_env``."""
        given = {"autoreset_mode": self._library.RESETS, **self.view, **options}
        return self._library.adapted(self.agent.dream_env(num_envs, horizon, **given))

    def real_env(self, num_envs: int = 1, **options: Any) -> Any:
        """The same of the real game; ``options`` are those of ``JEDI.real_env``."""
        given = {"autoreset_mode": self._library.RESETS, **self.view, **options}
        return self._library.adapted(self.agent.real_env(num_envs, **given))

    @property
    def _library(self) -> Library:
        return library(self.spec.library)


def load_policy(
    name_or_path: str | Path, revision: str | None = None, device: str = "auto", hub: Hub | None = None, **given: Any
) -> LatentPolicy:
    """A policy that ``save_policy`` wrote, by its path or by ``owner/name`` on the Hub, ready to act.

    Only JSON and safetensors are read. ``hub`` says whom to ask, for the policy and for an agent that it names;
    ``given`` are ``env`` and parts of one's own, as in ``JEDI.from_pretrained``. Raises ``CheckpointError`` and
    ``HubError``, and ``ImportError`` where the library is not installed.
    """
    found = resolve(name_or_path, revision, hub)
    spec = read_spec(found.folder)
    place = {"device": device, **given}
    agent = _named(spec.agent, found, hub, place) if spec.agent else JEDI.from_pretrained(_inner(found), **place)
    try:
        wanted = shapes(spec, agent)
    except CheckpointError as error:
        raise CheckpointError(f"{found.folder / checkpoint.POLICY} cannot be used: {error}") from error
    tensors = checkpoint.read_fitting(found.folder / checkpoint.POLICY_WEIGHTS, wanted)
    policy = fresh(spec, agent)
    policy.load_state_dict(tensors, strict=False)  # they fit, but for further names of the same weights
    return LatentPolicy(policy.to(agent.precision.device), agent, spec)


def _inner(found: Found) -> Found:
    """A stranger's agent stays a stranger's inside of the folder."""
    title = None if found.mine else f"{found}/{checkpoint.EMBEDDED}"
    return Found(found.folder / checkpoint.EMBEDDED, title, found.pinned)


def _named(wanted: Reference, found: Found, hub: Hub | None, place: dict[str, Any]) -> JEDI:
    """Looked for where others find it too: a file's word is never read as a path on this machine."""
    teacher = published(wanted.name, wanted.revision, hub)
    if checkpoint.sha256(teacher.folder / checkpoint.MODEL) != wanted.weights:
        raise CheckpointError(
            f"{found} was trained in the dreams of {wanted.name} when that had other weights, so it would not "
            f"understand {teacher}: ask its owner for the revision, and save it again with revision="
        )
    return JEDI.from_pretrained(teacher, **place)
