"""DIAMOND itself as something to time: its own networks, data, imagination and optimisers, as it configures them.

None of its code is here. What is written here stands for its trainer: draw a batch, descend, clip, step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jedi_sdk.benchmark.speed.checkout import Checkout
from jedi_sdk.precision import Precision

NAMES = {"denoiser": "denoiser", "heads": "rew_end_model", "actor_critic": "actor_critic"}
FRAMES = 1_000  # of noise, in one endless episode
GOES_ON = 3  # behind its three logits of the reward stands the one for "no end"


class Diamond:
    def __init__(self, path: str, num_actions: int, precision: Precision, compiled: bool = False) -> None:
        self.code, self.precision, self.compiled = Checkout(Path(path)), precision, compiled
        config = self.code.make("agent", num_actions=num_actions)
        self.agent = precision.place(self.code.get("agent.Agent")(config))
        self.agent.denoiser.setup_training(self.code.make("denoiser.sigma_distribution"))
        self.data = self._noise(num_actions)
        self._dream_without_end()

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.agent.parameters())

    def work(self, part: str, n: int) -> Callable[[], object]:
        if part == "sample":
            return self._step(n)
        model = getattr(self.agent, NAMES[part])
        if part == "actor_critic":
            model.setup_training(self._imagination(n), self.code.make("actor_critic.actor_critic_loss"))
            return self._update(part, model, lambda: model())
        batches = iter(self._loader(n, self._frames(part)))
        return self._update(part, model, lambda: model(next(batches).to(self.precision.device)))

    def _frames(self, part: str) -> int:
        context = self.code.make("agent.denoiser.inner_model").num_steps_conditioning
        if part == "heads":
            return context + self.code.make("world_model_env.horizon")
        return context + 1 + self.code.make("denoiser.training.num_autoregressive_steps")

    def _step(self, n: int) -> Callable[[], object]:
        env = self._imagination(n)
        env.reset()
        act = torch.zeros(n, dtype=torch.int64, device=self.precision.device)

        def step() -> object:
            env.ep_len.zero_()  # no truncation: a fresh start is no part of a step
            with self.precision.autocast():
                return env.step(act)

        return step

    def _update(self, part: str, model: nn.Module, loss: Callable[[], Any]) -> Callable[[], object]:
        name = NAMES[part]
        optimizer = self.code.get("utils.configure_opt")(model, **self.code.make(f"{name}.optimizer"))
        max_norm = self.code.make(f"{name}.training.max_grad_norm")

        def update() -> object:
            with self.precision.autocast():
                total, metrics = loss()
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad()
            return metrics

        return update

    def _imagination(self, n: int) -> Any:
        """Its world model as an env. One batch of starts at a time in place of hundreds: the same work a dream."""
        settings = self.code.make("world_model_env", num_batches_to_preload=1)
        loader = self._loader(n, self.code.make("agent.denoiser.inner_model").num_steps_conditioning)
        env = self.code.get("envs.WorldModelEnv")(self.agent.denoiser, self.agent.rew_end_model, loader, settings)
        if self.compiled:  # as its trainer does
            env.predict_next_obs = torch.compile(env.predict_next_obs, mode="reduce-overhead")
            env.predict_rew_end = torch.compile(env.predict_rew_end, mode="reduce-overhead")
        return env

    def _dream_without_end(self) -> None:
        """Fresh heads would end every second dream, each of which it starts anew; trained ones end few."""
        first, _, last = self.agent.rew_end_model.head
        with torch.no_grad():
            first.bias.fill_(10.0)
            last.weight[GOES_ON] = 1.0

    def _noise(self, num_actions: int) -> Any:
        data = self.code.get("data.Dataset")(Path("unused"), cache_in_ram=True, save_on_disk=False)
        size = self.code.make("env.train.size")
        nothing = torch.zeros(FRAMES, dtype=torch.int64)
        obs = torch.rand(FRAMES, 3, size, size).mul_(2).sub_(1)
        act = torch.randint(num_actions, (FRAMES,))
        rew = torch.randint(-1, 2, (FRAMES,)).float()
        data.add_episode(self.code.get("data.Episode")(obs, act, rew, end=nothing, trunc=nothing, info={}))
        return data

    def _loader(self, n: int, frames: int) -> Any:
        draw, collate = (
            Draw(self.code.get("data.SegmentId"), n, frames),
            self.code.get("data.collate_segments_to_batch"),
        )
        pinned = self.precision.device.type == "cuda"  # as its trainer does
        return torch.utils.data.DataLoader(self.data, batch_sampler=draw, collate_fn=collate, pin_memory=pinned)


class Draw:
    """Which segments make a batch, without end. DIAMOND's own hands torch's ``Sampler`` what that takes no more."""

    def __init__(self, segment_id: Callable[[int, int, int], Any], batch_size: int, frames: int) -> None:
        self.segment_id, self.batch_size, self.frames = segment_id, batch_size, frames

    def __iter__(self) -> Iterator[list[Any]]:
        while True:
            starts = torch.randint(FRAMES - self.frames, (self.batch_size,)).tolist()
            yield [self.segment_id(0, start, start + self.frames) for start in starts]
