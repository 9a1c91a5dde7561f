"""One dream, and one real game, as gymnasium's ``Env``: for libraries and wrappers that know no vector envs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode
from torch import Tensor

from jedi_sdk.dream.arguments import DreamError, checked_actions, refuse_other_frames
from jedi_sdk.dream.core import Dream
from jedi_sdk.dream.env import DreamEnv
from jedi_sdk.dream.history import History
from jedi_sdk.dream.starts import Starts, encode
from jedi_sdk.dream.view import Probe, View
from jedi_sdk.precision import Precision, full_precision
from jedi_sdk.world_model import WorldModel


class SingleDreamEnv(gymnasium.Env):
    """The only dream of ``core``. What it can do beyond gymnasium is in ``env.unwrapped.dreams``, a ``DreamEnv``.

    ``reset`` takes the same ``options``; the context of ``frames`` and ``actions`` may lack its first axis.
    """

    metadata: dict[str, Any] = DreamEnv.metadata

    def __init__(self, core: Dream, render_mode: str | None = None) -> None:
        if core.num_envs != 1:
            raise DreamError(f"a single env shows one dream, not {core.num_envs}: write num_envs=1, or use DreamEnv")
        self.dreams = DreamEnv(core, AutoresetMode.DISABLED, render_mode=render_mode)
        self.metadata = {name: value for name, value in self.dreams.metadata.items() if name != "autoreset_mode"}
        self.render_mode = render_mode
        self.observation_space = self.dreams.single_observation_space
        self.action_space = self.dreams.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        obs, info = self.dreams.reset(seed=seed, options=options)
        return obs[0], info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, rew, term, trunc, info = self.dreams.step(np.array([action]))
        return obs[0], float(rew[0]), bool(term[0]), bool(trunc[0]), info

    def render(self) -> Any:
        pictures = self.dreams.render()
        return None if pictures is None else pictures[0]

    def get_action_meanings(self) -> list[str] | None:
        """As in ``DreamEnv``."""
        return self.dreams.get_action_meanings()

    def close(self) -> None:
        self.dreams.close()


class LatentObservation(gymnasium.Wrapper):
    """One env of frames (``make_single`` gives it) through the encoder; ``obs``, ``stack``, ``probe`` as the dream's.

    ``RealEnv`` does the same to a vector env.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        world_model: WorldModel,
        obs: str = "latent",
        stack: int = 1,
        probe: Probe | None = None,
        precision: Precision | None = None,
    ) -> None:
        super().__init__(env)
        refuse_other_frames(env, env.observation_space, env.action_space, world_model.num_actions)
        self.view, self.precision = View(world_model, obs, stack, probe), precision or full_precision(world_model)
        self.history: History | None = None
        self.observation_space, self.action_space = self.view.space, Discrete(world_model.num_actions)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        frame, info = self.env.reset(seed=seed, options=options)
        self.history = History.begun(self.view.world_model, self._encode(frame))
        return self._shown(), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        history = self._begun()
        act = checked_actions(np.array([action]), 1, self.view.world_model.num_actions, self.precision.device)
        frame, rew, term, trunc, info = self.env.step(int(act))
        z = self._encode(frame)
        with self.precision.autocast():
            self.history = history.followed(self.view, act, z)
        return self._shown(), rew, term, trunc, info

    def starts(self) -> Starts:
        """Where the game stands, as in ``RealEnv``."""
        return self._begun().starts()

    def _begun(self) -> History:
        if self.history is None:
            raise DreamError("this game has not begun: call reset() first")
        return self.history

    def _encode(self, frame: np.ndarray) -> Tensor:
        return encode(self.view.world_model, frame[None], self.precision)

    def _shown(self) -> np.ndarray:
        return np.array(self.view(self._begun().state)[0].cpu().numpy())
