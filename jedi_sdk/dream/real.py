"""The real world as the dream shows itself: encoded, with the same spaces and the same history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool
from torch import Tensor

from jedi_sdk.dream.arguments import (
    DreamError,
    checked_actions,
    checked_mask,
    checked_meanings,
    refuse_closed,
    refuse_other_frames,
    refuse_other_than,
)
from jedi_sdk.dream.history import History
from jedi_sdk.dream.infos import begun_anew
from jedi_sdk.dream.starts import Starts, encode
from jedi_sdk.dream.view import Probe, View
from jedi_sdk.envs import action_meanings as meanings_of
from jedi_sdk.envs.lives import Lives
from jedi_sdk.precision import Precision, full_precision
from jedi_sdk.world_model import WorldModel


class RealEnv(VectorWrapper):
    """``envs``, a vector env of frames in gymnasium's NEXT_STEP mode (``make_envs`` gives them), through the encoder.

    ``obs``, ``stack`` and ``probe`` are those of the dream (see ``View``); ``reward`` is ``"raw"``, as scores are
    counted, or its ``"sign"``, as the dream pays. Episodes are whole games. SAME_STEP shows an episode's last latent
    in ``info["final_obs"]``; no step of the game is made up or lost in any mode. With ``life_loss_ends`` a lost life
    (``lost``, in the newest step) ends what is remembered of the past, as in training; the game goes on.
    ``action_meanings`` are those of ``envs``, unless passed.
    """

    def __init__(
        self,
        envs: VectorEnv,
        world_model: WorldModel,
        obs: str = "latent",
        stack: int = 1,
        probe: Probe | None = None,
        reward: str = "raw",
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        to_numpy: bool = True,
        precision: Precision | None = None,
        action_meanings: Sequence[str] | None = None,
        life_loss_ends: bool = False,
    ) -> None:
        super().__init__(envs)
        refuse_other_frames(envs, envs.single_observation_space, envs.single_action_space, world_model.num_actions)
        refuse_other_than("reward", reward, ["raw", "sign"])
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.NEXT_STEP:
            raise DreamError(
                f"{envs} is not in NEXT_STEP mode: make it so, for example by make_envs(game, n); the mode towards "
                "the outside is RealEnv's own autoreset_mode"
            )
        said = meanings_of(envs) if action_meanings is None else action_meanings
        self.action_meanings = checked_meanings(said, world_model.num_actions)
        self.view, self.reward, self.to_numpy = View(world_model, obs, stack, probe), reward, to_numpy
        self.precision = precision or full_precision(world_model)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**envs.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.view.space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.history: History | None = None
        self.over = np.zeros(self.num_envs, bool)
        self.life_loss_ends, self.lives = life_loss_ends, Lives(self.num_envs, {})
        self.lost = np.zeros(self.num_envs, bool)

    @property
    def device(self) -> torch.device:
        return self.precision.device

    def get_action_meanings(self) -> list[str] | None:
        """As in ``DreamEnv``."""
        return list(self.action_meanings) if self.action_meanings else None

    def starts(self) -> Starts:
        """Where the games stand: dreams can go on from there (``dream.reset(options={"from": real})``)."""
        return self._begun().starts()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        refuse_closed(self)
        options, rows = dict(options or {}), np.ones(self.num_envs, bool)  # a copy: they take the mask out of it
        if "reset_mask" in options:
            rows = checked_mask(options["reset_mask"], self.num_envs)
            options["reset_mask"] = rows.copy()
            self._begun()
        frames, infos = self.env.reset(seed=seed, options=options)
        self.lives.begin(infos, rows)
        self._begin(frames, rows)
        return self._shown(), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        refuse_closed(self)
        history, anew = self._begun(), self.over
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            self._refuse_over()
        act = checked_actions(actions, self.num_envs, self.view.world_model.num_actions, self.precision.device)
        frames, rew, term, trunc, infos = self.env.step(act.cpu().numpy())
        z = encode(self.view.world_model, frames, self.precision)
        with self.precision.autocast():
            self.history = history.followed(self.view, act, z)
        self.over = term | trunc
        self.lost = self.lives.lost(infos, begun=anew) & self.life_loss_ends
        begins = anew | (self.lost & ~self.over)  # NEXT_STEP: the inner envs began new games where old ones were over
        if begins.any():
            self._begin(frames, begins)
        obs = self._shown()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self.over.any():
            obs, infos = self._begin_at_once(obs, infos)
        rew = np.sign(rew) if self.reward == "sign" else rew
        if self.to_numpy:
            return obs, rew, term, trunc, infos
        return obs, self._tensor(rew), self._tensor(term), self._tensor(trunc), infos

    def _begin_at_once(self, last: Any, infos: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """SAME_STEP: new games where one ended, before the inner envs would begin them in their next step."""
        done, final = self.over, np.full(self.num_envs, None, object)
        for i in np.flatnonzero(done):
            final[i] = last[i]
        frames, fresh = self.env.reset(options={"reset_mask": done.copy()})
        self.lives.begin(fresh, done)
        self._begin(frames, done)
        told = {"final_obs": final, "_final_obs": done.copy(), "final_info": infos, "_final_info": done.copy()}
        return self._shown(), {**begun_anew(infos, fresh, done), **told}

    def _begin(self, frames: np.ndarray, rows: Bool[np.ndarray, "n"]) -> None:
        """What is remembered begins at ``rows``, with the frames shown there."""
        z = encode(self.view.world_model, frames[rows], self.precision)
        fresh = History.begun(self.view.world_model, z)
        ids = self._tensor(np.flatnonzero(rows))
        self.history = fresh if rows.all() else self._begun().put(ids, fresh)
        self.over = self.over & ~rows

    def _begun(self) -> History:
        if self.history is None:
            raise DreamError("these games have not begun: call reset() first, once, without a reset_mask")
        return self.history

    def _refuse_over(self) -> None:
        if self.over.any():
            raise DreamError(
                f"the games {np.flatnonzero(self.over).tolist()} are over: begin new ones there before the next step, "
                "reset(options={'reset_mask': terminated | truncated})"
            )

    def _shown(self) -> Any:
        obs = self.view(self._begun().state)
        return np.array(obs.cpu().numpy()) if self.to_numpy else obs

    def _tensor(self, x: np.ndarray) -> Tensor:
        return torch.as_tensor(x, device=self.precision.device)
