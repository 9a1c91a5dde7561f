"""One dream as an ordinary environment, and dreams by their gymnasium id."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import RecordEpisodeStatistics, RenderCollection, TimeLimit

from jedi_sdk import JEDI
from jedi_sdk.dream import Dream, DreamEnv, DreamError, SingleDreamEnv
from jedi_sdk.video import write_video

from .by_hand import ACTIONS, HORIZON, UNIT, ByHand, ByHandEnv, assert_same, starts

ID = "jedi_sdk:JEDI/Dream-v0"


@pytest.fixture
def env() -> SingleDreamEnv:
    return SingleDreamEnv(Dream(ByHand(), 1, HORIZON, starts(2)))


def test_gymnasiums_check_by_hand(env: SingleDreamEnv) -> None:
    with warnings.catch_warnings(action="ignore"):  # that it has no spec
        check_env(env)


def test_it_is_the_ordinary_environment(env: SingleDreamEnv) -> None:
    other, rng = ByHandEnv(), np.random.default_rng(0)
    assert env.metadata == other.metadata
    for _ in range(20):
        assert_same(env.reset(seed=1), other.reset(seed=1))
        over = False
        while not over:
            act = int(rng.integers(ACTIONS))
            one = env.step(act)
            assert_same(one, other.step(act))
            over = one[2] or one[3]


def test_gymnasiums_wrappers(env: SingleDreamEnv) -> None:
    short = RecordEpisodeStatistics(TimeLimit(env, 3))
    obs, _ = short.reset(seed=0)
    steps = [short.step(1) for _ in range(3)]
    assert [step[3] for step in steps] == [False, False, True]
    assert steps[-1][4]["episode"]["r"] == 0.0
    assert steps[-1][4]["episode"]["l"] == 3
    assert (steps[-1][0] * UNIT == 8).all()
    assert (short.reset()[0] == obs).all()
    short.step(1)


def test_what_a_vector_env_can_do(env: SingleDreamEnv) -> None:
    env.reset(seed=0)
    state = env.dreams.get_state()
    env.step(2)
    assert env.dreams.fork([0] * 3).observe().shape == (3, 4, 8, 8)
    env.dreams.set_state(state)
    assert (env.step(0)[0] * UNIT == 3).all()


def test_its_pictures_are_collected_as_recorders_do_and_written_without_moviepy(tmp_path: Path) -> None:
    """A picture at the reset and one for each step, each as bright as the dream has come far; then a film of them."""
    core = Dream(ByHand(), 1, HORIZON, starts(2), probe=lambda z: z[:, :3].repeat(1, 1, 8, 8))
    filmed = RenderCollection(SingleDreamEnv(core, "rgb_array"))
    assert filmed.render_mode == "rgb_array_list"
    filmed.reset(seed=0)
    for act in (0, 2):
        filmed.step(act)
    pictures = filmed.render()
    assert [picture.shape for picture in pictures] == [(256, 256, 3)] * 3
    assert [picture.mean() for picture in pictures] == [round(127.5 * (1 + place / UNIT)) for place in (2, 3, 6)]
    write_video(tmp_path / "dream.mp4", pictures, filmed.metadata["render_fps"])
    assert (tmp_path / "dream.mp4").read_bytes()[4:8] == b"ftyp"  # what an mp4 begins with
    assert "moviepy" not in sys.modules


def test_actions_have_the_games_words_or_none() -> None:
    core = Dream(ByHand(), 1, HORIZON, starts(2), action_meanings=("SHORT", "LONGER", "LONGEST"))
    assert SingleDreamEnv(core).unwrapped.get_action_meanings() == ["SHORT", "LONGER", "LONGEST"]  # pyright: ignore
    env = DreamEnv(core)
    env.reset(seed=0)
    assert env.fork().get_action_meanings() == ["SHORT", "LONGER", "LONGEST"]
    assert DreamEnv(Dream(ByHand(), 1, HORIZON)).get_action_meanings() is None
    with pytest.raises(DreamError, match=r"action_meanings=\['ON'\] are 1 words for 3 actions"):
        Dream(ByHand(), 1, HORIZON, action_meanings=["ON"])


# -- by id ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "run"
    JEDI("catch", preset="tiny", seed=3).learn(run_dir=folder, progress=False)
    return str(folder)


def test_gymnasium_makes_one(checkpoint: str) -> None:
    env = gymnasium.make(ID, checkpoint=checkpoint, horizon=50, obs="features")
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["kwargs"]["checkpoint"] == checkpoint
    with warnings.catch_warnings(action="error"):
        check_env(env.unwrapped)
    limited = gymnasium.make(ID, checkpoint=checkpoint, horizon=50, max_episode_steps=1)
    limited.reset(seed=0)
    assert limited.step(0)[3] is True


def test_gymnasium_makes_several(checkpoint: str) -> None:
    envs = gymnasium.make_vec(
        ID, num_envs=5, checkpoint=checkpoint, autoreset_mode="NextStep", stack=2, sampler={"steps": 1}
    )
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.observation_space.shape == (5, 8, 8, 8)
    obs, _ = envs.reset(seed=0)
    assert obs in envs.observation_space
    obs, *_ = envs.step(envs.action_space.sample())
    assert obs in envs.observation_space


def test_a_dream_needs_neither_torch_until_it_is_made_nor_the_game(checkpoint: str, tmp_path: Path) -> None:
    """No ALE and no replay: a saved agent alone, in a process that is shown to have loaded no game."""
    saved = JEDI.from_pretrained(checkpoint).save_pretrained(tmp_path / "agent")
    code = f"""
import sys, gymnasium, jedi_sdk
assert "torch" not in sys.modules
env = gymnasium.make("JEDI/Dream-v0", checkpoint={str(saved)!r})
env.reset(seed=0)
env.step(1)
assert "ale_py" not in sys.modules and "cv2" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_where_dreams_begin_is_in_every_checkpoint_and_every_saved_agent(checkpoint: str, tmp_path: Path) -> None:
    folders = sorted((Path(checkpoint) / "checkpoints").iterdir())
    saved = JEDI.from_pretrained(checkpoint).save_pretrained(tmp_path / "agent")
    assert len(folders) == 2
    for folder in (*folders, saved):
        assert (folder / "starts.safetensors").stat().st_size <= 2_000_000
    last = (folders[-1] / "starts.safetensors").read_bytes()
    assert (saved / "starts.safetensors").read_bytes() == last
    one, other = (JEDI.from_pretrained(place).dream_env(4) for place in (checkpoint, saved))
    for agent_env in (one, other):
        assert agent_env.core.horizon == 3  # as many steps as the policy was trained on
    np.testing.assert_array_equal(one.reset(seed=1)[0], other.reset(seed=1)[0])


def test_the_agent_that_trains_dreams_from_its_last_checkpoint(checkpoint: str) -> None:
    agent = JEDI.resume(checkpoint)
    dream, real = agent.dream_env(2, horizon=4, stack=3), agent.real_env(2, stack=3)
    assert dream.single_observation_space == real.single_observation_space
    assert dream.single_action_space == real.single_action_space
    obs, _ = real.reset(seed=0)
    np.testing.assert_array_equal(dream.reset(options={"from": real})[0], obs)
    dream.step(dream.action_space.sample())
