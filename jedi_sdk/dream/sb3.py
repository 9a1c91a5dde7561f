"""Stable-Baselines3 in the dream, and in the real game behind the encoder.

Who resets: SB3 means the same step, as gymnasium's SAME_STEP, and looks for an episode's last observation in
``infos[i]["terminal_observation"]``. So ``DreamVecEnv`` translates names and types; it decides nothing.
"""

from __future__ import annotations

import inspect
import time
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Float
from torch import Tensor

from jedi_sdk.dream.arguments import DreamError
from jedi_sdk.dream.infos import info_of
from jedi_sdk.dream.trunk import LatentTrunk

try:
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError(
        "jedi_sdk.dream.sb3 needs Stable-Baselines3, which is not installed: pip install 'jedi-sdk[sb3]'"
    ) from error


# -- the env ----------------------------------------------------------------------------------------------------


class DreamVecEnv(VecEnv):
    """Any gymnasium ``VectorEnv`` in SAME_STEP mode for SB3: ``agent.dream_env()``, ``agent.real_env()``, ale-py's.

    All envs are stepped by one call. With ``monitor``, returns and lengths of episodes are told as SB3's
    ``VecMonitor`` does, so that it logs them and ``evaluate_policy`` believes them.
    """

    def __init__(self, envs: VectorEnv, monitor: bool = True) -> None:
        refuse_what_is_not_for_sb3(envs)
        self.envs, self.monitor = envs, monitor  # before super().__init__, which asks for render_mode
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._began = time.time()
        self._begin()

    def reset(self) -> Any:
        obs, infos = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        if isinstance(obs, Tensor):
            raise DreamError("SB3 takes numpy arrays, but these envs give tensors: make them without to_numpy=False")
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [info_of(infos, i) for i in range(self.num_envs)]
        self._begin()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._act = actions

    def step_wait(self) -> tuple[Any, Float[np.ndarray, "n"], Bool[np.ndarray, "n"], list[dict[str, Any]]]:
        obs, rew, end, trunc, told = self.envs.step(self._act)
        rew, done = rew.astype(np.float32), end | trunc  # a copy, whatever it was: SB3 adds to it in place
        infos = [{"TimeLimit.truncated": cut} for cut in (trunc & ~end).tolist()]
        now = _without_final(told)
        last = _without_final(told.get("final_info", told))  # ale-py does not tell it
        if now or last:
            for i, over in enumerate(done.tolist()):
                infos[i] |= info_of(last if over else now, i)
        self._return += rew
        self._length += 1
        for i in np.flatnonzero(done).tolist():
            infos[i]["terminal_observation"] = told["final_obs"][i]
            if self.monitor:
                infos[i]["episode"] = self._episode(i)
        self._return[done] = self._length[done] = 0
        return obs, rew, done, infos

    def set_options(self, options: Any = None) -> None:
        """For the next ``reset``, which is one for all envs: a dict, not one for each."""
        if not isinstance(options, dict | None):
            raise DreamError(f"all envs are reset by one call: give options as one dict, not {options!r}")
        self._options = [options or {}] * self.num_envs  # no copies, as SB3 makes them: there may be an env in it

    def close(self) -> None:
        self.envs.close()

    def get_images(self) -> list[Any]:
        return list(self.envs.render() or ())

    def _begin(self) -> None:
        self._return, self._length = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, np.int32)

    def _episode(self, i: int) -> dict[str, Any]:
        seconds = round(time.time() - self._began, 6)
        return {"r": float(self._return[i]), "l": int(self._length[i]), "t": seconds}

    # -- one object holds all envs: what it has, each of them has ------------------------------------------------

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        value = getattr(self._with(attr_name), attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        self._refuse_some(f"set_attr({attr_name!r})", indices)
        setattr(self._with(attr_name), attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Called once, for all; the list holds the one result for each."""
        self._refuse_some(f"env_method({method_name!r})", indices)
        result = getattr(self._with(method_name), method_name)(*method_args, **method_kwargs)
        return [result] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        is_so = self.monitor if wrapper_class is Monitor else any(isinstance(e, wrapper_class) for e in self._chain())
        return [is_so for _ in self._get_indices(indices)]

    def _chain(self) -> list[VectorEnv]:
        """The envs and what they wrap, the outermost first."""
        chain = [self.envs]
        while hasattr(chain[-1], "env"):
            chain.append(chain[-1].env)  # pyright: ignore[reportAttributeAccessIssue]
        return chain

    def _with(self, name: str) -> VectorEnv:
        return next((env for env in self._chain() if hasattr(env, name)), self.envs)

    def _refuse_some(self, call: str, indices: Any) -> None:
        if indices is not None and set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise DreamError(f"{call} is for all envs or none, because one object holds them: leave out indices")


def refuse_what_is_not_for_sb3(envs: Any) -> None:
    if not isinstance(envs, VectorEnv):
        raise DreamError(
            f"DreamVecEnv takes a gymnasium VectorEnv, not {envs!r}: write DreamVecEnv(agent.dream_env(num_envs=64)); "
            "a single env needs no translation, SB3 takes it as it is"
        )
    if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
        raise DreamError(
            f"{envs} resets in mode {envs.metadata.get('autoreset_mode')}, but SB3 means that what ends begins anew in "
            "the same step: make it with autoreset_mode='SameStep' (dream_env's and real_env's default)"
        )
    if not getattr(envs.unwrapped, "copy", True):
        raise DreamError(f"{envs} writes over its last observations, which SB3 still needs: make it with copy=True")


def _without_final(infos: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in infos.items() if not name.startswith(("final_", "_final_"))}


# -- the policy -------------------------------------------------------------------------------------------------


class LatentFeatures(BaseFeaturesExtractor):
    """Latents (c·stack, h, w) to ``features_dim`` numbers, by ``LatentTrunk``."""

    def __init__(self, observation_space: Space, features_dim: int = 128, channels: int = 32) -> None:
        if not isinstance(observation_space, Box) or len(observation_space.shape) != 3 or _is_pixels(observation_space):
            raise DreamError(
                f"latent_policy() reads latents (c, h, w), not {observation_space}: for obs='features' write "
                "PPO('MlpPolicy', ...), for obs='pixels' PPO('CnnPolicy', ...), both without policy_kwargs"
            )
        super().__init__(observation_space, features_dim)
        self.layers = LatentTrunk(observation_space.shape, features_dim, channels)

    def forward(self, z: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        return self.layers(z)


def _is_pixels(space: Box) -> bool:
    return space.dtype == np.uint8


def latent_policy(features_dim: int = 128, channels: int = 32, **policy_kwargs: Any) -> dict[str, Any]:
    """``policy_kwargs`` with which SB3's ``"CnnPolicy"`` reads latents, single or stacked.

    ``policy_kwargs`` of your own are added: ``latent_policy(net_arch=[64])``.
    """
    return {
        "features_extractor_class": LatentFeatures,
        "features_extractor_kwargs": {"features_dim": features_dim, "channels": channels},
        "normalize_images": False,  # they are no images: not to be divided by 255
        **policy_kwargs,
    }


# -- dreams that are truncated together -------------------------------------------------------------------------


class BatchedBootstrap(BaseCallback):
    """Values truncated dreams together: ``model.learn(200_000, callback=BatchedBootstrap())``. Results stay the same.

    Dreams that began together reach their horizon together, and there SB3's on-policy algorithms (PPO, A2C) ask the
    critic once for each. They call this just before: it asks once for all, adds ``gamma * value`` to the rewards as
    they would, and takes the flag ``TimeLimit.truncated`` back, so that they do not add it again. Off-policy
    algorithms (DQN) value batches anyway, and are left alone. In a list of callbacks it comes last.
    """

    def _init_callback(self) -> None:
        policy: Any = self.model.policy
        self._on_policy = isinstance(self.model, OnPolicyAlgorithm)
        if self._on_policy and "lstm_states" in inspect.signature(policy.predict_values).parameters:  # sb3-contrib's
            raise DreamError("BatchedBootstrap knows no memory, and this policy's values need one: leave it out")

    def _on_step(self) -> bool:
        if self._on_policy:
            self._bootstrap(self.locals["rewards"], self.locals["dones"], self.locals["infos"])
        return True

    @torch.no_grad()
    def _bootstrap(self, rew: np.ndarray, done: np.ndarray, infos: list[dict[str, Any]]) -> None:
        cut = [i for i in np.flatnonzero(done).tolist() if infos[i].get("TimeLimit.truncated", False)]
        cut = [i for i in cut if infos[i].get("terminal_observation") is not None]
        if not cut:
            return
        model: Any = self.model
        obs, _ = model.policy.obs_to_tensor(np.stack([infos[i]["terminal_observation"] for i in cut]))
        rew[cut] += model.gamma * model.policy.predict_values(obs).flatten().cpu().numpy()
        for i in cut:
            infos[i]["TimeLimit.truncated"] = False
