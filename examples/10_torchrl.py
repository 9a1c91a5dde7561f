"""Trains TorchRL's PPO in the dream alone, and plays the real game with it. Run 02_train.py first.

python examples/10_torchrl.py --run-dir runs/first
"""

from pathlib import Path

import torch
import typer
from torch import distributions, nn
from torchrl.collectors import Collector
from torchrl.envs import RewardSum, TransformedEnv
from torchrl.modules import ProbabilisticActor, SafeModule, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from jedi_sdk import JEDI
from jedi_sdk.dream.torchrl import DreamTensorEnv
from jedi_sdk.dream.trunk import LatentTrunk


def main(run_dir: Path = Path("runs/first"), steps: int = 30_720, games: int = 200, seed: int = 0) -> None:
    torch.manual_seed(seed)
    agent = JEDI.from_pretrained(run_dir, device="cpu")
    dream = DreamTensorEnv(agent.dream_env(64, horizon=8, autoreset_mode="Disabled", to_numpy=False))
    real = TransformedEnv(DreamTensorEnv(agent.real_env(games, autoreset_mode="Disabled", to_numpy=False)), RewardSum())
    real.set_seed(dream.set_seed(seed))
    trunk = LatentTrunk(agent.world_model.latent_shape)
    net = SafeModule(nn.Sequential(trunk, nn.Linear(128, agent.world_model.num_actions)), ["observation"], ["logits"])
    actor = ProbabilisticActor(net, ["logits"], distribution_class=distributions.Categorical, return_log_prob=True)
    critic = ValueOperator(nn.Sequential(trunk, nn.Linear(128, 1)), ["observation"])
    loss, advantage = ClipPPOLoss(actor, critic), GAE(gamma=0.97, lmbda=0.95, value_network=critic)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    for batch in Collector(dream, actor, frames_per_batch=1024, total_frames=steps):
        for part in [part for _ in range(4) for part in advantage(batch).flatten()[torch.randperm(1024)].split(256)]:
            terms = loss(part)
            optimizer.zero_grad()
            (terms["loss_objective"] + terms["loss_critic"] + terms["loss_entropy"]).backward()
            optimizer.step()
    told = real.rollout(10**5, actor, break_when_any_done=False, break_when_all_done=True)  # each plays one game
    print(f"mean score of {games} real games: {told['next', 'episode_reward'][:, -1].mean():.2f}")


if __name__ == "__main__":
    typer.run(main)
