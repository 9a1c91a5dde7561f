"""What a score lies between: what one gets for nothing, and what perfect dreams would teach."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI
from jedi_sdk.actor_critic import Actor
from jedi_sdk.benchmark.awake import Awake
from jedi_sdk.benchmark.baselines import Always, measure_baselines
from jedi_sdk.benchmark.ceiling import measure_ceiling
from jedi_sdk.benchmark.judge import JudgeError, judge, ratio_of_shares
from jedi_sdk.checkpoint import CheckpointError
from jedi_sdk.dream import RealEnv, imagine
from jedi_sdk.envs import make_envs, resolve_game
from jedi_sdk.rng import Rng


def silent(done, what=None):
    pass


def test_each_action_is_played_over_and_over_and_the_best_is_named():
    found = measure_baselines(resolve_game("catch"), 40, seed=0, report=silent)
    assert len(found.constant) == 3
    assert all(result.episodes == 40 for result in (found.random, *found.constant))
    assert found.constant[found.best_constant].mean == max(result.mean for result in found.constant)
    assert found.random.mean < 0  # the paddle covers less than half of the field


def test_a_constant_policy_does_the_same_for_everyone():
    act, memory = Always(4, 2, Rng(0, torch.device("cpu")))(torch.zeros(5, 64, 64, 3), None, torch.ones(5))
    assert act.tolist() == [2] * 5
    assert memory is None


@pytest.fixture(scope="module")
def agent():
    return JEDI("catch", preset="catch", seed=0)


def test_awake_steps_the_real_game(agent):
    """Rewards, ends and frames of a rollout are those of the same game played with the same actions beside it."""
    awake = Awake(agent.real_env(6, to_numpy=False), seed=3)
    rollout = awake.rollout(Actor(agent.actor_critic, Rng(1, torch.device("cpu"))), 12, Rng(2, torch.device("cpu")))
    twin = RealEnv(make_envs(agent.game, 6), agent.world_model, precision=agent.precision)
    obs, _ = twin.reset(seed=3)
    for t in range(12):
        np.testing.assert_allclose(rollout.z[:, t].numpy(), obs, atol=1e-5)
        obs, rew, term, _, _ = twin.step(rollout.act[:, t].numpy())
        np.testing.assert_array_equal(rollout.rew[:, t].numpy(), rew)
        np.testing.assert_array_equal(rollout.end[:, t].numpy(), term)
    assert rollout.end.any()
    assert not rollout.mask.all()  # what lies behind an end does not count
    assert len(awake.scores) == int(rollout.end.sum())


def test_asleep_dreams_begin_where_the_games_stand_which_stay_there(agent):
    awake, rng = Awake(agent.real_env(6, to_numpy=False), seed=3), Rng(2, torch.device("cpu"))
    actor = Actor(agent.actor_critic, Rng(1, torch.device("cpu")))
    lived = awake.rollout(actor, 3, rng)
    dreamed = awake.dream(agent.world_model, actor, 4, rng, "sample")
    assert dreamed.act.shape == (6, 4)
    torch.testing.assert_close(dreamed.z[:, 0], lived.z[:, -1])
    after = awake.rollout(actor, 1, rng)
    torch.testing.assert_close(after.z[:, 0], lived.z[:, -1])
    assert not torch.equal(dreamed.z[:, 1], after.z[:, 1])
    for one, two in zip(dreamed.lstm, after.lstm, strict=True):  # the same memory of the same frames
        torch.testing.assert_close(one, two)


def test_asleep_the_heads_remember_what_was_before_as_in_every_other_dream(wake):
    agent = JEDI("catch", preset="tiny", seed=0)
    awake, model = Awake(agent.real_env(6, to_numpy=False), seed=3), wake(agent.world_model)
    awake.rollout(Actor(agent.actor_critic, Rng(1, torch.device("cpu"))), 3, Rng(2, torch.device("cpu")))
    now, rng = awake.real.starts(), Rng(5, torch.device("cpu"))
    with torch.no_grad():
        dreamed = awake.dream(model, Actor(agent.actor_critic, rng), 4, rng, "mean")
        twin = Rng(5, torch.device("cpu"))
        state, memory = model.start_from(now.z, now.act, now.mask), agent.actor_critic.burn_in(now.z, now.mask)
        other = imagine(model, Actor(agent.actor_critic, twin), state, 4, twin, memory, reward="mean")
    torch.testing.assert_close(dreamed.rew, other.rew, rtol=0, atol=0)


def test_a_lost_life_ends_what_the_policy_learns_from():
    agent = JEDI("breakout", preset="tiny", seed=0)
    awake = Awake(agent.real_env(4, to_numpy=False), seed=0)
    fire = Always(4, 1, Rng(0, torch.device("cpu")))
    fire_only = Actor(agent.actor_critic, Rng(0, torch.device("cpu")))
    lost = torch.zeros(4, dtype=torch.bool)
    state = awake.rollout(fire_only, 1, Rng(0, torch.device("cpu"))).z[:, -1]
    for _ in range(60):  # the ball is served and missed
        lives = awake.real.lives.left.copy()
        act, _ = fire(state, None, torch.zeros(4))
        _, _, end = awake.step(None, act, Rng(0, torch.device("cpu")))  # type: ignore[arg-type]
        np.testing.assert_array_equal(end.numpy(), awake.real.lives.left < lives)
        lost |= end
    assert lost.any()


class Endless(gymnasium.Env):
    """Goes on and pays nothing, whatever one does."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros((64, 64, 3), np.uint8), {}

    def step(self, action):
        return np.zeros((64, 64, 3), np.uint8), 0.0, False, False, {}


def test_a_time_limit_ends_a_game_and_teaches_no_end():
    agent = JEDI(lambda: gymnasium.wrappers.TimeLimit(Endless(), 5), preset="tiny")
    awake, rng = Awake(agent.real_env(2, to_numpy=False), seed=0), Rng(0, torch.device("cpu"))
    rollout = awake.rollout(Actor(agent.actor_critic, rng), 12, rng)
    assert not rollout.end.any()
    assert rollout.mask.all()
    assert len(awake.scores) == 4  # two games each are over after ten steps


def test_the_policy_learns_catch_awake():
    found = measure_ceiling(
        JEDI.from_pretrained("catch"), updates=400, episodes=100, seed=0, every=100, out=None, progress=False
    )
    assert found.env_steps == 400 * 32 * 7
    assert [point["updates"] for point in found.curve] == [100, 200, 300, 400]
    assert found.curve[-1]["return"] > found.curve[0]["return"] + 0.4
    assert found.evaluation.mean > 0.3


def test_with_several_gradient_steps_it_learns_sooner():
    reached = []
    for steps in (1, 4):
        agent = JEDI.from_pretrained("catch", overrides=[f"actor_critic.gradient_steps={steps}"])
        found = measure_ceiling(agent, updates=100, episodes=100, seed=0, every=100, out=None, progress=False)
        reached.append(found.evaluation.mean)
    assert reached[1] > reached[0] + 0.4


def test_the_policy_learns_catch_asleep_in_a_true_dream():
    found = measure_ceiling(
        JEDI.from_pretrained("catch"), 400, episodes=100, seed=0, every=200, out=None, asleep=True, progress=False
    )
    assert found.curve[-1]["return"] > found.curve[0]["return"]
    assert found.evaluation.mean > 0.3


def test_a_true_dream_tells_good_play_from_bad():
    """The embedded agent's dream of catch: its own policy earns, awake as asleep, what a random one does not."""
    agent = JEDI.from_pretrained("catch")
    told = []
    random, own = judge(agent, {}, steps=2_000, seed=0, report=lambda done, what=None: told.append(done))
    assert told == sorted(told)
    assert len(set(told)) > 6  # a bar that moves while a policy plays
    assert own.real.reward > 0.12  # a catch in 7 steps is 0.143
    assert abs(own.dreamed.reward - own.real.reward) < 0.02
    assert random.real.reward < 0
    assert random.dreamed.reward < 0
    assert own.real.end == pytest.approx(1 / 7, abs=0.01)
    assert own.real.paid == pytest.approx(1 / 7, abs=0.01)
    assert own.pays == pytest.approx(1, abs=0.05)


def test_the_ratio_of_two_shares_is_as_sure_as_repeating_it_shows():
    """Planted shares of 1 % and 2 %: the stated error is the spread of the ratio over many repetitions."""
    rng = np.random.default_rng(0)
    tries = np.full(32, 700.0)
    found = [
        ratio_of_shares(rng.binomial(700, 0.01, 32) * 1.0, tries, rng.binomial(700, 0.02, 32) * 1.0, tries)
        for _ in range(300)
    ]
    ratios, stated = np.array(found).T
    assert ratios.mean() == pytest.approx(0.5, abs=0.01)
    assert stated.mean() == pytest.approx(ratios.std(), rel=0.15)


def test_the_ratio_of_a_share_to_itself_is_one_and_of_any_to_none_unknown():
    hits, tries = np.array([3.0, 0.0, 5.0]), np.array([100.0, 80.0, 90.0])
    assert ratio_of_shares(hits, tries, hits, tries) == (1, 0)
    assert all(math.isnan(figure) for figure in ratio_of_shares(hits, tries, 0 * hits, tries))


def test_a_policy_behind_another_encoder_is_not_judged(agent):
    with pytest.raises(JudgeError, match="another encoder"):
        judge(agent, {"stranger": JEDI("catch", preset="catch", seed=1)}, steps=10, seed=0, report=silent)


def test_both_from_the_shell(tmp_path, agent):
    folder = agent.save_pretrained(tmp_path / "agent")
    runner = CliRunner()
    result = runner.invoke(app, ["bench", "baselines", "catch", "--episodes", "4", "--json", str(tmp_path / "b.json")])
    assert result.exit_code == 0, result.output
    assert "the best" in result.output
    written = json.loads((tmp_path / "b.json").read_text())
    assert written["random"]["episodes"] == 4
    assert len(written["constant"]) == 3
    told = ["bench", "ceiling", str(folder), "--updates", "4", "--every", "2", "--episodes", "4"]
    result = runner.invoke(app, [*told, "--json", str(tmp_path / "c.json")])
    assert result.exit_code == 0, result.output
    assert [point["updates"] for point in json.loads((tmp_path / "c.json").read_text())["curve"]] == [2, 4]
    still = [*told, "--set", "optim.actor_critic_lr=1e-12", "--json", str(tmp_path / "d.json")]
    result = runner.invoke(app, still)
    assert result.exit_code == 0, result.output
    entropies = [point["policy/entropy"] for point in json.loads((tmp_path / "d.json").read_text())["curve"]]
    assert entropies == pytest.approx([math.log(3)] * 2)  # a fresh policy, which cannot move


def test_before_a_game_has_ended_there_is_no_return(tmp_path):
    folder = JEDI("catch", preset="tiny", seed=0, device="cpu").save_pretrained(
        tmp_path / "tiny"
    )  # dreams 3 of 7 steps
    told = ["bench", "ceiling", str(folder), "--updates", "1", "--episodes", "2", "--json", str(tmp_path / "c.json")]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert "NaN" not in (tmp_path / "c.json").read_text()
    assert json.loads((tmp_path / "c.json").read_text())["curve"][0]["return"] is None


def test_what_was_learned_awake_until_ctrl_c_is_played(tmp_path, agent):
    folder, out, figures = agent.save_pretrained(tmp_path / "agent"), tmp_path / "awake", tmp_path / "c.json"
    told = ["--updates", "1000000", "--every", "2", "--episodes", "4", "--out", out, "--json", figures]
    command = [sys.executable, "-m", "jedi_cli", "bench", "ceiling", folder, *told]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("updates 2  env_steps 448  return ")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    found = json.loads(figures.read_text())
    assert 2 <= found["updates"] == found["curve"][-1]["updates"] < 1_000_000
    assert found["evaluation"]["episodes"] == 4
    assert JEDI.from_pretrained(str(out)).predict(np.zeros((64, 64, 3), np.uint8))[0] in range(3)


def test_a_ceiling_that_could_not_be_kept_is_refused_before_the_minutes(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        measure_ceiling(JEDI.from_pretrained("catch"), 1_000_000, 1, seed=0, every=100, out=tmp_path, progress=False)
