"""What dreams may be given: actions, places, frames; what is refused, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from jedi_sdk.config import SamplerConfig
from jedi_sdk.load import config_from_dict
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.encoder import FRAME_SIZE

FRAME = (FRAME_SIZE, FRAME_SIZE, 3)


class DreamError(ValueError):
    """What a dream cannot do or be given: says what was wrong, why, and what to write instead."""


# -- once -------------------------------------------------------------------------------------------------------


def refuse_other_than(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise DreamError(f"{name}={value!r} is unknown; write one of {', '.join(map(repr, choices))}")


def refuse_below_one(name: str, value: object, why: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise DreamError(f"{name}={value!r}: {why}; write a whole number from 1, for example {name}=15")


def checked_meanings(meanings: Sequence[str] | None, num_actions: int) -> tuple[str, ...] | None:
    """A word for each action, or none at all."""
    if meanings is not None and len(meanings) != num_actions:
        raise DreamError(
            f"action_meanings={list(meanings)} are {len(meanings)} words for {num_actions} actions: write one for each"
        )
    return None if meanings is None else tuple(meanings)


def refuse_other_frames(env: gymnasium.Env | VectorEnv, observed: Any, acted: Any, num_actions: int) -> None:
    """The encoder knows one kind of frame, the dream one number of actions."""
    if observed != Box(0, 255, FRAME, np.uint8):
        raise DreamError(
            f"{env} observes {observed}, but the encoder takes frames of 64x64 RGB, uint8: "
            "jedi_sdk.envs.make_single(game) and make_envs(game, n) make envs that show them, of any game"
        )
    if acted != Discrete(num_actions):
        raise DreamError(
            f"{env} takes {acted}, but this agent's game has Discrete({num_actions}): make the env from agent.game"
        )


def changed_sampler(world_model: WorldModel, sampler: SamplerConfig, changes: Mapping[str, Any]) -> SamplerConfig:
    """``sampler`` with single settings changed, checked like a configuration (raises ``ConfigError``)."""
    settings = {"objective": asdict(world_model.objective), "sampler": {**asdict(sampler), **changes}}
    return config_from_dict(settings).sampler


# -- with every call --------------------------------------------------------------------------------------------


def refuse_closed(env: gymnasium.Env | VectorEnv) -> None:
    if getattr(env, "closed", False):
        raise DreamError(f"{env} is closed: nothing more can be asked of it; make a new one")


def checked_actions(actions: Any, n: int, num_actions: int, device: torch.device) -> Int64[Tensor, "n"]:
    """One whole number from 0 to below ``num_actions`` for each of ``n`` envs, of any integer type."""
    act = np.array(actions.cpu().numpy() if isinstance(actions, Tensor) else actions)
    if act.dtype.kind not in "iu":
        worse = "; some are NaN: has the policy diverged?" if act.dtype.kind == "f" and np.isnan(act).any() else ""
        raise DreamError(f"actions are integers, the number of an action each, not {act.dtype}{worse}; {_example(n)}")
    if act.shape != (n,):
        raise DreamError(f"{n} envs take actions of shape ({n},), one each, not {act.shape}; {_example(n)}")
    numbers = act.tolist()  # behind a forward pass, when no cache is warm, quicker than numpy's min and max
    if min(numbers) < 0 or max(numbers) >= num_actions:
        raise DreamError(f"actions go from 0 to {num_actions - 1} (Discrete({num_actions})), not {numbers}")
    given = actions if isinstance(actions, Tensor) else torch.from_numpy(act)  # a tensor stays on its device
    return given.to(device, torch.int64)


def _example(n: int) -> str:
    return f"write for example np.zeros({n}, np.int64)"


def checked_ids(ids: Any, n: int, device: torch.device, repeats: bool = False) -> Int64[Tensor, "s"]:
    """Numbers of envs from 0 to below ``n``, None for all; each at most once unless ``repeats``."""
    if ids is None:
        return torch.arange(n, device=device)
    found = np.asarray(ids.cpu() if isinstance(ids, Tensor) else ids)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "iu":
        raise DreamError(f"ids are a list of the envs' numbers, not {ids!r}; write for example [0, 2], None for all")
    numbers = found.tolist()
    if min(numbers) < 0 or max(numbers) >= n:
        raise DreamError(f"there are envs 0 to {n - 1}, not {numbers}")
    if not repeats and len(set(numbers)) < len(numbers):
        raise DreamError(f"each env can be meant once, not as in {numbers}; fork() makes copies of one dream")
    return torch.from_numpy(found.astype(np.int64)).to(device)


def checked_mask(mask: Any, n: int) -> Bool[np.ndarray, "n"]:
    """Which envs are to be reset: as in gymnasium, at least one. A tensor, as envs of tensors tell of ends, will do."""
    mask = mask.cpu().numpy() if isinstance(mask, Tensor) else mask
    if not (isinstance(mask, np.ndarray) and mask.dtype == bool and mask.shape == (n,) and mask.any()):
        raise DreamError(
            f"options['reset_mask'] is a numpy array of {n} booleans, some of them True, not {mask!r}: write for "
            "example reset(options={'reset_mask': terminated | truncated})"
        )
    return mask


def checked_context(
    frames: Any, actions: Any, context: int, num_actions: int
) -> tuple[UInt8[Tensor, "n k H W 3"], Int64[Tensor, "n k-1"]]:
    """Frames of one's own (one context without its first axis) and the actions between them."""
    shown, acted = np.array(frames), np.array(actions)
    shown, acted = (x[None] if shown.ndim == 4 else x for x in (shown, acted))
    n, k = shown.shape[:2] if shown.ndim == 5 else (0, 0)
    if shown.dtype != np.uint8 or shown.shape[2:] != FRAME or not n or not 1 <= k <= context:
        raise DreamError(
            f"options['frames'] are uint8 of shape (n, k, 64, 64, 3), k from 1 to {context}, the oldest first, "
            f"not {shown.dtype} of {np.shape(frames)}"
        )
    if (acted.size and acted.dtype.kind not in "iu") or acted.shape not in ((n, k), (n, k - 1)):
        raise DreamError(
            f"options['actions'] are integers of shape ({n}, {k}), action t chosen at frame t (the last leads out of "
            f"the context and is not used), or ({n}, {k - 1}); not {acted.dtype} of {np.shape(actions)}"
        )
    act = acted[:, : k - 1].astype(np.int64)
    if ((act < 0) | (act >= num_actions)).any():
        raise DreamError(f"options['actions'] go from 0 to {num_actions - 1}, not {act.tolist()}")
    return torch.from_numpy(shown), torch.from_numpy(act)
