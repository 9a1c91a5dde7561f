"""A pixel probe for an agent that has none: real frames are played, and the probe fitted to their latents."""

from __future__ import annotations

from jedi_sdk.collect import Collector
from jedi_sdk.dream.probe import PixelProbe, ProbeTrainer
from jedi_sdk.envs import make_envs
from jedi_sdk.fidelity.held_out import play
from jedi_sdk.fidelity.progress import Progress, part
from jedi_sdk.fidelity.subject import Player
from jedi_sdk.replay import Replay
from jedi_sdk.world_model import WorldModel


def fit_probe(
    probe: PixelProbe, world_model: WorldModel, player: Player, frames: int, updates: int, progress: Progress
) -> float:
    """Plays ``frames`` real steps and takes ``updates`` steps of the probe; its last loss."""
    env, precision = player.config.env, player.precision
    replay = Replay(None, env.num_envs, 2 * (frames + env.num_envs), context=player.config.context)
    envs = make_envs(player.game, env.num_envs)
    try:
        collector = Collector(envs, replay, player.seed, precision.device, env.life_loss_ends)
        play(collector, player.policy, frames, precision, part(progress, 0.0, 0.2), "playing")
    finally:
        envs.close()
    trainer, loss = ProbeTrainer(probe, world_model, precision, player.seed), float("nan")
    for i in range(updates):
        value = trainer.update(replay)
        if i % 50 == 49 or i == updates - 1:
            loss = value.item()
            progress(0.2 + 0.8 * (i + 1) / updates, f"fitting the probe, loss {loss:.4f}")
    return loss
