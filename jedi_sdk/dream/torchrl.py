"""The dream, and the real game behind the encoder, for TorchRL: tensors that stay on the agent's device.

TorchRL resets what is over by itself, by mask, and may step some envs alone. Policies read the entry
``"observation"``: ``LatentTrunk`` turns latents into features. Needs ``pip install 'jedi-sdk[torchrl]'``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from torch import Size, Tensor

from jedi_sdk.dream.arguments import DreamError
from jedi_sdk.dream.env import DreamEnv
from jedi_sdk.dream.real import RealEnv
from jedi_sdk.dream.some import SomeOf

try:
    from tensordict import TensorDict, TensorDictBase
    from torchrl.data import Bounded, Categorical, Composite, TensorSpec, Unbounded
    from torchrl.envs import EnvBase
except ImportError as error:
    raise ImportError(f"jedi_sdk.dream.torchrl needs TorchRL ({error}): pip install 'jedi-sdk[torchrl]'") from error

FLAGS = ("terminated", "truncated", "done")


class DreamTensorEnv(EnvBase):
    """``env``, made with ``autoreset_mode="Disabled", to_numpy=False``, as TorchRL's, of batch size [num_envs].

    Entries: ``observation``; ``action``, the number of one; ``reward``, ``terminated``, ``truncated`` and ``done``,
    each (n, 1). Envs are begun anew where ``"_reset"`` says so, and left out of a step where ``"_step"`` does: of
    dreams nothing is computed there, real games move on and must be reset before they are stepped again.
    ``reset(options=...)`` takes what gymnasium's does; a seed counts from the next reset.
    """

    def __init__(self, env: VectorEnv) -> None:
        if not isinstance(env, DreamEnv | RealEnv) or env.to_numpy:
            raise DreamError(
                f"DreamTensorEnv takes dreams or real games that give tensors, not {env}: write "
                "agent.dream_env(64, autoreset_mode='Disabled', to_numpy=False), and the same for agent.real_env"
            )
        some, device, each, one = SomeOf(env, "TorchRL"), env.device, Size([env.num_envs]), Size([env.num_envs, 1])
        super().__init__(device=device, batch_size=each)
        self.env, self._some, self._seed = env, some, None
        acting: Any = env.single_action_space
        self.observation_spec = Composite(observation=_spec(env.observation_space, device), shape=each)
        self.action_spec = Categorical(acting.n, shape=each, dtype=torch.int64, device=device)
        self.reward_spec = Unbounded(one, dtype=torch.float32, device=device)
        flags = {name: Categorical(2, shape=one, dtype=torch.bool, device=device) for name in FLAGS}
        self.done_spec = Composite(flags, shape=each)

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDictBase:
        asked = {"seed": self._seed, **kwargs}
        self._seed = None
        obs, _ = self._some.reset(self._ids(tensordict, "_reset"), **asked)
        return self._dict(observation=obs)  # the base adds that nothing is over, and keeps what was not reset

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        ids, act = self._ids(tensordict, "_step"), tensordict["action"]
        if len(ids) == self.env.num_envs:
            return self._dict(**_entries(*self._some.step(act, ids)))
        after = tensordict.select("observation", *FLAGS).clone()  # what is left out stands still
        after["reward"] = self.reward_spec.zero()
        stepped = torch.from_numpy(ids).to(act.device)
        for name, entry in _entries(*self._some.step(act[stepped], ids)).items():
            after[name][stepped] = entry
        return after

    def _set_seed(self, seed: int | None) -> None:
        self._seed = seed

    def close(self, *, raise_if_closed: bool = True) -> None:
        super().close(raise_if_closed=raise_if_closed)
        self.env.close()

    def _ids(self, tensordict: TensorDictBase | None, name: str) -> np.ndarray:
        """Where the mask ``name`` (n,) or (n, 1) is True; everywhere if there is none."""
        mask = None if tensordict is None else tensordict.get(name, None)
        return self._some.everyone if mask is None else np.flatnonzero(mask.cpu().numpy())

    def _dict(self, **entries: Tensor) -> TensorDict:
        return TensorDict(entries, self.batch_size, device=self.device)


def _entries(obs: Tensor, rew: Tensor, end: Tensor, trunc: Tensor, _: Any) -> dict[str, Tensor]:
    flags = dict(zip(FLAGS, (end, trunc, end | trunc), strict=True))
    return {"observation": obs, "reward": rew.float()[:, None], **{name: flag[:, None] for name, flag in flags.items()}}


def _spec(space: Any, device: torch.device) -> TensorSpec:
    """Of a box; latents that nothing clamps have no bounds."""
    assert isinstance(space, Box)
    low, high = (torch.from_numpy(bound).to(device) for bound in (space.low, space.high))
    if not space.is_bounded():
        return Unbounded(low.shape, dtype=low.dtype, device=device)
    return Bounded(low, high, low.shape, dtype=low.dtype, device=device)
