"""A short learning run on Catch: the dream becomes true, and a policy trained only in it plays the real game.

Known answers: a random policy returns -3/4 on average, the best one 1; repeating the last latent has ratio 1.
"""

from __future__ import annotations

from pathlib import Path

from jedi_sdk import JEDI

RANDOM_RETURN = -0.75
SHORT = [
    "schedule.env_steps=4000",
    "schedule.first_epoch.env_steps=4000",
    "schedule.first_epoch.denoiser=600",
    "schedule.first_epoch.heads=600",
    "schedule.first_epoch.actor_critic=400",
    "schedule.final_epochs=0",
]


def test_catch_is_learned_in_dreams(tmp_path: Path) -> None:
    agent = JEDI("catch", overrides=SHORT, seed=0).learn(run_dir=tmp_path / "run", progress=False)
    report = agent.fidelity(contexts=500, horizon=5, progress=False)
    assert report.open_loop.ratio[0] < 0.5
    assert report.open_loop.end.balanced_accuracy > 0.9
    result = agent.evaluate(episodes=200, deterministic=True, progress=False)
    assert result.mean - 4 * result.stderr > RANDOM_RETURN, "no better than chance"
