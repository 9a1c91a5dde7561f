"""PPO in one file, with nothing but torch and gymnasium's way of stepping. It learns in the dream alone, then plays
the real game. Run 02_train.py first.

python examples/11_ppo.py --run-dir runs/first
"""

from pathlib import Path

import torch
import typer
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from torch.distributions import Categorical

from jedi_sdk import JEDI

ENVS, STEPS, EPOCHS, MINIBATCHES = 64, 16, 4, 4
LR, GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, MAX_NORM = 1e-3, 0.97, 0.95, 0.2, 0.01, 0.5, 0.5


class ActorCritic(nn.Module):
    def __init__(self, shape: tuple[int, ...], actions: int) -> None:
        super().__init__()
        c, h, w = shape
        self.trunk = nn.Sequential(
            nn.Conv2d(c, 32, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.SiLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (h // 2) * (w // 2), 128),
            nn.SiLU(),
        )
        self.actor, self.critic = nn.Linear(128, actions), nn.Linear(128, 1)

    def forward(self, obs: Tensor) -> tuple[Categorical, Tensor]:
        x = self.trunk(obs)
        return Categorical(logits=self.actor(x)), self.critic(x).squeeze(-1)


@torch.no_grad()
def collect(net: ActorCritic, dream: VectorEnv, obs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """``STEPS`` steps of all dreams: where they stand, and obs, act, log_prob, advantage, return, each (t, n, ...)."""
    rows = []
    for _ in range(STEPS):
        policy, val = net(obs)
        act = policy.sample()
        next_obs, rew, terminated, truncated, infos = dream.step(act)
        if truncated.any():  # the game would have gone on: what is still to come is worth what the critic says
            last = torch.stack([infos["final_obs"][i] for i in truncated.nonzero().flatten().tolist()])
            rew[truncated] += GAMMA * net(last)[1]
        rows.append((obs, act, policy.log_prob(act), val, rew, terminated | truncated))
        obs = next_obs
    seen, acts, log_probs, vals, rews, done = (torch.stack(column) for column in zip(*rows, strict=True))
    vals = torch.cat([vals, net(obs)[1][None]])
    advantages, advantage = torch.zeros_like(rews), torch.zeros_like(rews[0])
    for t in reversed(range(STEPS)):
        going_on = (~done[t]).float()
        delta = rews[t] + GAMMA * vals[t + 1] * going_on - vals[t]
        advantages[t] = advantage = delta + GAMMA * LAMBDA * going_on * advantage
    return obs, [seen, acts, log_probs, advantages, advantages + vals[:-1]]


def update(net: ActorCritic, optimizer: torch.optim.Optimizer, rollout: list[Tensor]) -> None:
    flat = [x.flatten(0, 1) for x in rollout]
    for _ in range(EPOCHS):
        for ids in torch.randperm(len(flat[0])).chunk(MINIBATCHES):
            obs, act, log_prob, advantage, target = (x[ids] for x in flat)
            policy, val = net(obs)
            ratio = (policy.log_prob(act) - log_prob).exp()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            gain = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            loss = VALUE * (val - target).square().mean() - gain - ENTROPY * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
            optimizer.step()


@torch.no_grad()
def play(net: ActorCritic, real: VectorEnv, games: int, seed: int) -> float:
    """The mean score of whole games."""
    obs, _ = real.reset(seed=seed)
    score, scores = torch.zeros(real.num_envs), []
    while len(scores) < games:
        obs, rew, terminated, truncated, _ = real.step(net(obs)[0].probs.argmax(-1))
        score += rew.float()
        over = terminated | truncated
        scores += score[over].tolist()
        score[over] = 0
    return sum(scores) / len(scores)


def main(run_dir: Path = Path("runs/first"), steps: int = 30_720, games: int = 200, seed: int = 0) -> None:
    torch.manual_seed(seed)
    agent = JEDI.from_pretrained(run_dir, device="cpu")
    dream = agent.dream_env(ENVS, horizon=8, to_numpy=False)  # a game of catch lasts 7 steps
    real = agent.real_env(num_envs=8, to_numpy=False)
    net = ActorCritic(agent.world_model.latent_shape, agent.world_model.num_actions)
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    print(f"before: {play(net, real, games, seed):.2f}")
    obs, _ = dream.reset(seed=seed)
    for _ in range(0, steps, ENVS * STEPS):
        obs, rollout = collect(net, dream, obs)
        update(net, optimizer, rollout)
    print(f"after:  {play(net, real, games, seed):.2f}")


if __name__ == "__main__":
    typer.run(main)
