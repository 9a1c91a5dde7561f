"""The dream, and the real game, for Tianshou 2, which resets what it wants, when it wants, and steps any of the envs.

``DreamVectorEnv`` is for the procedural API, ``DreamEnvFactory`` and ``LatentActorFactory`` for the high-level one,
``LatentNet`` for both. Needs ``pip install 'jedi-sdk[tianshou]'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Float
from torch import Tensor

from jedi_sdk.dream.arguments import DreamError, checked_ids
from jedi_sdk.dream.core import Dream
from jedi_sdk.dream.env import DreamEnv
from jedi_sdk.dream.infos import info_of
from jedi_sdk.dream.real import RealEnv
from jedi_sdk.dream.single import SingleDreamEnv
from jedi_sdk.dream.some import SomeOf
from jedi_sdk.dream.trunk import LatentTrunk

try:
    from tianshou.env import BaseVectorEnv
    from tianshou.highlevel.env import EnvFactory, Environments, EnvMode, VectorEnvType
    from tianshou.highlevel.module.actor import ActorFactory
    from tianshou.highlevel.module.core import TDevice
    from tianshou.highlevel.params.dist_fn import DistributionFunctionFactoryCategorical
    from tianshou.utils.net.common import ActionReprNetWithVectorOutput
    from tianshou.utils.net.discrete import DiscreteActor
except ImportError as error:
    raise ImportError(
        f"jedi_sdk.dream.tianshou needs Tianshou 2 ({error}): pip install 'jedi-sdk[tianshou]'"
    ) from error

CPU = torch.device("cpu")


class DreamVectorEnv(BaseVectorEnv):
    """``env``, a ``DreamEnv``, a ``RealEnv`` or another vector env in ``"Disabled"`` mode, as Tianshou's: its
    observations are boxes, its actions 0, 1, … .

    Dreams are stepped singly or together, as asked, and only those are computed. Real games have one clock: where
    some are stepped, the others move on, and must be reset before they are stepped again (``SomeOf``). Tianshou's
    collectors do so: an env that is left out has delivered its episodes.
    """

    def __init__(self, env: VectorEnv) -> None:  # not the base's, which builds a worker for each env
        self.env, self.some = env, SomeOf(env, "Tianshou")
        if not getattr(env, "to_numpy", True):
            raise DreamError(f"{env} gives tensors, but Tianshou's buffers hold arrays: leave out to_numpy=False")
        self.env_num, self.wait_num = env.num_envs, env.num_envs
        self.timeout, self.is_async, self.is_closed = None, False, False
        self.workers, self.waiting_conn, self.waiting_id = [], [], []
        self.ready_id = list(range(env.num_envs))

    def step(
        self, action: np.ndarray | Tensor | None, id: int | list[int] | np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A row for each of ``id``, in their order; all envs by default."""
        ids = self._ids(id)
        *outcome, infos = self.some.step(action, ids)
        return *outcome, _told(infos, ids, env_id=True)  # pyright: ignore[reportReturnType]

    def reset(self, env_id: int | list[int] | np.ndarray | None = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        """``kwargs``: gymnasium's ``seed`` and ``options``; contexts in them are for the envs in ascending order."""
        ids = self._ids(env_id)
        obs, infos = self.some.reset(ids, **kwargs)
        return obs[ids], _told(infos, ids)

    def seed(self, seed: int | list[int] | None = None) -> list[list[int] | None]:
        """Seeds, and begins anew, as Tianshou's workers do. All dreams draw from one generator: of a list, the first
        counts."""
        first = None if seed is None else int(np.ravel(seed)[0])
        self.reset(seed=first)
        self.env.single_action_space.seed(first)
        return [None if first is None else [first]] * self.env_num

    def get_env_attr(self, key: str, id: int | list[int] | np.ndarray | None = None) -> list[Any]:
        """Spaces are those of one env; all else is shared by all."""
        single = f"single_{key}" if key in ("observation_space", "action_space") else key
        return [getattr(self.env, single)] * len(self._ids(id))

    def set_env_attr(self, key: str, value: Any, id: int | list[int] | np.ndarray | None = None) -> None:
        if len(self._ids(id)) < self.env_num:
            raise DreamError(f"all envs are one batch and share {key!r}: set it without id")
        setattr(self.env, key, value)

    def render(self, **kwargs: Any) -> list[Any]:
        pictures = self.env.render()
        return [None] * self.env_num if pictures is None else list(pictures)

    def close(self) -> None:
        self.env.close()
        self.is_closed = True

    def _ids(self, id: int | list[int] | np.ndarray | None) -> np.ndarray:
        return checked_ids(None if id is None else np.atleast_1d(id), self.env_num, CPU).numpy()


def _told(infos: dict[str, Any], ids: np.ndarray, env_id: bool = False) -> np.ndarray:
    """gymnasium's one dict of arrays as Tianshou's array of dicts, one for each of ``ids``."""
    told = [{**info_of(infos, i), **({"env_id": i} if env_id else {})} for i in ids.tolist()]
    return np.array(told, object)


# -- networks ---------------------------------------------------------------------------------------------------


class LatentNet(ActionReprNetWithVectorOutput[Any]):
    """Latents (n, c, h, w), single or stacked, to ``features`` numbers: a ``preprocess_net`` for ``DiscreteActor``,
    which with ``softmax_output=False`` is a Q-network too, and for ``DiscreteCritic``."""

    def __init__(self, shape: Sequence[int], features: int = 256, channels: int = 32) -> None:
        super().__init__(features)
        if len(shape) != 3:
            raise DreamError(f"latents are (c, h, w), not {tuple(shape)}: for obs='features' take Tianshou's own Net")
        self.trunk = LatentTrunk(shape, features, channels)

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[Float[Tensor, "n d"], Any]:
        z = torch.as_tensor(obs, dtype=torch.float32, device=next(self.parameters()).device)
        return self.trunk(z), state


# -- high level -------------------------------------------------------------------------------------------------


@runtime_checkable
class Agent(Protocol):
    """What makes both kinds of envs: a ``JEDI``."""

    def dream(self, num_envs: int = 1, horizon: int | None = None, **options: Any) -> Dream: ...
    def dream_env(self, num_envs: int = 1, horizon: int | None = None, **options: Any) -> DreamEnv: ...
    def real_env(self, num_envs: int = 1, **options: Any) -> RealEnv: ...


class DreamEnvFactory(EnvFactory):
    """Training envs are dreams of ``agent``; test and watch envs are the real game, with its raw rewards.

    ``view`` holds what both are shown by, ``{"stack": 4}``; ``options`` are for the dream alone, as in
    ``agent.dream_env``. Single envs, which Tianshou makes to look at the spaces, are dreams.
    """

    def __init__(
        self, agent: Agent, horizon: int | None = None, view: dict[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(VectorEnvType.DUMMY)
        self.agent, self.horizon, self.view, self.options = agent, horizon, view or {}, options

    def create_venv(self, num_envs: int, mode: EnvMode, seed: int | None = None) -> BaseVectorEnv:
        disabled = {"autoreset_mode": "Disabled", **self.view}
        if mode is EnvMode.TRAINING:
            venv = DreamVectorEnv(self.agent.dream_env(num_envs, self.horizon, **disabled, **self.options))
        else:
            venv = DreamVectorEnv(self.agent.real_env(1 if mode is EnvMode.WATCH else num_envs, **disabled))
        if seed is not None:
            venv.seed(seed)
        return venv

    def _create_env(self, mode: EnvMode) -> gymnasium.Env:
        return SingleDreamEnv(self.agent.dream(1, self.horizon, **self.view, **self.options))


class LatentActorFactory(ActorFactory):
    """Actors on a ``LatentNet``; in an ``IntermediateModuleFactoryFromActorFactory`` they are Q-networks."""

    def __init__(self, features: int = 256) -> None:
        self.features = features

    def create_module(self, envs: Environments, device: TDevice) -> DiscreteActor:
        shape = envs.get_observation_shape()
        net = LatentNet([shape] if isinstance(shape, int) else shape, self.features)
        actor = DiscreteActor(preprocess_net=net, action_shape=envs.get_action_shape(), softmax_output=False)
        return actor.to(device)

    def create_dist_fn(self, envs: Environments) -> Any:
        return DistributionFunctionFactoryCategorical(is_probs_input=False).create_dist_fn(envs)
