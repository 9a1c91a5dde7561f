"""An agent of the baseline ``space=pixel``, from training to a film: usable wherever one of latents is."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from jedi_sdk import JEDI, DreamError, checkpoint
from jedi_sdk.envs import make_envs
from jedi_sdk.runlog import read_log


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    agent = JEDI("catch", preset="tiny", overrides=["space=pixel"], device="cpu")
    return agent.learn(run_dir=tmp_path_factory.mktemp("runs") / "pixel", progress=False)


def test_it_takes_the_objective_made_for_frames(agent: JEDI) -> None:
    assert (agent.config.space, agent.config.objective_name) == ("pixel", "pixel")
    assert agent.run_dir is not None
    assert JEDI("catch", config=agent.run_dir / "config.yaml").config == agent.config


def test_what_is_learned_is_logged_and_nothing_of_an_encoder(agent: JEDI) -> None:
    assert agent.run_dir is not None
    seen = {name for record in read_log(agent.run_dir) for name in record}
    assert {"denoise/step1", "heads/reward", "imagined/return", "fidelity/ratio_step1", "latent/std_data"} <= seen
    assert "grad_norm/encoder" not in seen


def test_saved_and_loaded_it_acts_alike(agent: JEDI, tmp_path: Path) -> None:
    frames = make_envs("catch", 5).reset(seed=0)[0]
    loaded = JEDI.from_pretrained(agent.save_pretrained(tmp_path / "agent"), device="cpu")
    assert loaded.config == agent.config
    (act, memory), (again, remembered) = agent.predict(frames), loaded.predict(frames)
    assert memory is not None
    assert remembered is not None
    assert act.tolist() == again.tolist()
    assert np.array_equal(memory[0].numpy(), remembered[0].numpy())


def test_a_run_goes_on(agent: JEDI) -> None:
    assert agent.run_dir is not None
    resumed = JEDI.resume(agent.run_dir, device="cpu")
    before = checkpoint.list_checkpoints(agent.run_dir)
    resumed.learn(env_steps=64, progress=False)
    assert checkpoint.list_checkpoints(agent.run_dir) != before


def test_its_dream_is_an_environment_of_frames(agent: JEDI) -> None:
    env = agent.dream_env(num_envs=3, horizon=4)
    assert env.single_observation_space == Box(-1.0, 1.0, (3, 64, 64), np.float32)
    obs, _ = env.reset(seed=0)
    for step in range(1, 6):
        obs, rew, _, trunc, _ = env.step(np.array([0, 1, 2]))
        assert env.observation_space.contains(obs)
        assert set(rew.tolist()) <= {-1.0, 0.0, 1.0}
        assert not trunc.any() or step == 4
        assert np.abs((obs + 1) * 127.5 - np.round((obs + 1) * 127.5)).max() < 1e-3


def test_no_probe_is_fitted_and_pictures_are_the_latents_themselves(agent: JEDI) -> None:
    assert agent.probe is None
    env = agent.dream_env(num_envs=2, horizon=4, obs="pixels")
    obs, _ = env.reset(seed=0)
    latents, _ = agent.dream_env(num_envs=2, horizon=4).reset(seed=0)
    assert np.array_equal(obs.transpose(0, 3, 1, 2), np.round((latents + 1) * 127.5))
    with pytest.raises(DreamError, match=r"dreams are frames already: agent\.film_dreams"):
        agent.fit_probe(progress=False)


def test_the_real_game_looks_as_it_is(agent: JEDI) -> None:
    env = agent.real_env(2, obs="pixels")
    assert np.array_equal(env.reset(seed=0)[0], make_envs("catch", 2).reset(seed=0)[0])


def test_its_dreams_are_measured_and_filmed(agent: JEDI, tmp_path: Path) -> None:
    loop = agent.film_dreams(tmp_path / "dream.mp4", dreams=1, horizon=3, side_by_side=True, progress=False)
    assert loop is not None
    assert loop.ratio.isfinite().all()
    assert (tmp_path / "dream.mp4").stat().st_size > 0


def test_gymnasium_makes_it_by_its_folder(agent: JEDI) -> None:
    assert agent.run_dir is not None
    env = gymnasium.make("JEDI/Dream-v0", checkpoint=str(agent.run_dir))
    assert env.reset(seed=0)[0].shape == (3, 64, 64)
