"""Does the dream know what an action does? Ways on from one moment, against answers that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from typer.testing import CliRunner

from jedi_cli.bench_play import _share
from jedi_cli.main import app
from jedi_sdk import JEDI
from jedi_sdk.actor_critic import Actor
from jedi_sdk.benchmark.choices import KINDS, OUTCOMES, Right, _come_to, in_order, measure_choices, outcomes
from jedi_sdk.benchmark.ways import Ways, WaysError
from jedi_sdk.envs import make_envs
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Segment
from jedi_sdk.world_model import WorldModel

CPU = torch.device("cpu")
HORIZON = 6


def silent(done, what=None):
    pass


def ways_of(agent: JEDI, num_envs: int) -> Ways:
    rng = Rng(0, CPU)
    actor = Actor(agent.actor_critic, rng, agent.world_model.encode)
    return Ways(make_envs(agent.game, num_envs), actor, agent.config, agent.precision, rng)


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_pairs_in_order_by_hand():
    real = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    said = np.array([[0.1, 0.5, 0.0], [0.1, 0.5, 0.9], [0.3, 0.3, 0.1]])
    right, tied, pairs = in_order(said, real)
    assert pairs.tolist() == [2, 0, 3]
    assert tied.tolist() == [0, 0, 1]
    assert right.tolist() == [1, 0, 2.5]


outcomes_of = arrays.arrays(np.float64, (3, 4), elements=st.integers(-2, 2).map(float))


@given(outcomes_of, outcomes_of)
def test_the_truth_is_right_its_opposite_wrong_and_silence_half_right(said, real):
    right, tied, pairs = in_order(real, real)
    assert (right == pairs).all()
    assert (tied == 0).all()
    assert (in_order(-real, real)[0] == 0).all()
    silent = in_order(np.zeros_like(real), real)
    assert (silent[0] == pairs / 2).all()
    assert (silent[1] == pairs).all()
    assert (in_order(said, real)[0] + in_order(-said, real)[0] == pairs).all()
    assert (in_order(3 * said + 1, real)[0] == in_order(said, real)[0]).all()


def test_what_lies_behind_an_end_does_not_count():
    rew = torch.tensor([[1.0, -1.0, 1.0], [0.0, 1.0, 1.0]])
    end = torch.tensor([[False, True, False], [False, False, False]])
    assert _come_to(rew, end, 1).tolist() == [[0.0, 2.0], [1.0, 0.0]]
    assert _come_to(rew, end, 2).tolist() == [[1.0], [0.5]]


class Rule(WorldModel):
    """A world without pictures: action 1 pays, action 2 ends. Whoever knows that is right."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.context = 2

    def encode(self, obs):
        return torch.zeros(len(obs), 1, 1, 1)

    def start_from(self, z, act, mask):
        return DreamState(z, act, (torch.zeros(len(z), 1), torch.zeros(len(z), 1)))

    def step(self, state, act, rng, sampler=None, reward="sample"):
        return state, (act == 1).float(), act == 2

    def read(self, z, z_next, act, lstm, rng, reward="sample"):
        return (act == 1).float(), act == 2, lstm


def test_a_dream_that_follows_the_rule_comes_to_what_the_game_does():
    """One way goes on, one ends and has actions behind its end, one is cut off, which no dream can know."""
    act = torch.tensor([[0, 1, 0, 1, 0], [0, 1, 2, 1, 0], [0, 1, 1, 1, 2]])
    trunc = torch.zeros(3, 5, dtype=torch.bool)
    trunc[2, 2] = True
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]]).bool()  # a last frame is real, too
    obs = torch.zeros(3, 5, 64, 64, 3, dtype=torch.uint8)
    segment = Segment(obs, act, (act == 1).float(), act == 2, trunc, mask)
    for come in outcomes(Rule(), segment, Rng(0, CPU)):
        assert come.tolist() == [[2, 1, 2], [0, 1, 0]]


def test_a_dream_is_not_told_of_the_real_end():
    """It goes on with the way's own actions, and what it dreams behind the end counts."""
    act = torch.tensor([[0, 1, 1, 1, 0]])
    end = torch.tensor([[False, True, False, False, False]])
    mask = torch.tensor([[True, True, True, False, False]])
    obs, none = torch.zeros(1, 5, 64, 64, 3, dtype=torch.uint8), torch.zeros(1, 5, dtype=torch.bool)
    segment = Segment(obs, act, act.float(), end, none, mask)
    real, dreamed, encoded = outcomes(Rule(), segment, Rng(0, CPU))
    assert real.tolist() == [[1], [1]]
    assert dreamed.tolist() == [[3], [0]]
    assert encoded.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (Right(0.75, 0.1, 0.5), "75.0% ± 10.0%\n50% ties"),
        (Right(0.75, np.nan, 0.0), "75.0%\n0% ties"),
        (Right(np.nan, np.nan, np.nan), "–"),
    ],
)
def test_what_is_not_known_is_not_said(right, said):
    assert _share(right) == said


# -- ways --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [2, 4], ids=KINDS)
@pytest.mark.parametrize(("game", "steps"), [("catch", 4), ("breakout", 30)])
def test_ways_share_their_context_and_are_what_the_game_does(game, steps, way):
    """Played again with the same seed and the actions of one way, the game shows that way's frames."""
    agent = JEDI(game, preset="tiny", device="cpu")
    ways, k = ways_of(agent, 6), agent.config.context
    segment = ways(steps, HORIZON, seed=3)
    assert segment is not None
    assert segment.obs.shape == (6, k + HORIZON, 64, 64, 3)
    assert (segment.obs[:, :k] == segment.obs[:1, :k]).all()
    assert (segment.act[:, : k - 1] == segment.act[:1, : k - 1]).all()
    assert (segment.act[:, k - 1 :] != segment.act[:1, k - 1 :]).any()
    alone = make_envs(agent.game, 1)
    shown = [alone.reset(seed=3)[0][0]]
    story = played_before(agent, steps, seed=3)
    for act in [*story, *segment.act[way, k - 1 : -1].tolist()]:
        shown.append(alone.step(np.array([act]))[0][0])
    real = segment.mask[way]
    assert real.sum() > k
    for frame, wanted, counts in zip(segment.obs[way], shown[-k - HORIZON :], real, strict=True):
        assert not counts or np.array_equal(frame.numpy(), wanted)


def played_before(agent: JEDI, steps: int, seed: int) -> list[int]:
    """The actions up to the moment, by the same generator in a game alone."""
    rng, envs = Rng(0, CPU), make_envs(agent.game, 1)
    actor = Actor(agent.actor_critic, rng, agent.world_model.encode)
    obs, _ = envs.reset(seed=seed)
    acts, memory = [], None
    for t in range(steps):
        with agent.precision.autocast():
            act, memory = actor(torch.from_numpy(obs), memory, torch.tensor([t == 0]))
        acts.append(int(act))
        obs, *_ = envs.step(act.numpy())
    return acts


def counting(x, state, first):
    """A ``Policy`` that acts by how often it was asked, and by nothing else."""
    asked = torch.zeros(len(x), 1) if state is None else state[0]
    return asked[:, 0].long() % 3, (asked + 1,)


def test_ways_of_its_own_begin_with_what_the_policy_remembers_and_go_on_behind_an_end():
    agent = JEDI("catch", preset="tiny", device="cpu")
    ways, k, steps = replace(ways_of(agent, 4), policy=counting), agent.config.context, 4
    segment = ways(steps, HORIZON, seed=0)
    assert segment is not None
    asked = (steps + torch.arange(HORIZON + 1)) % 3
    over = 7 - steps  # Catch takes seven steps; in the next one it resets itself
    asked[over] = 0
    assert segment.end[2:, k - 1 + over - 1].all()
    assert not segment.mask[2:, k + over :].any()
    assert (segment.act[2:, k - 1 :] == asked).all()


def test_no_moment_where_the_game_is_just_over():
    ways = ways_of(JEDI("catch", preset="tiny", device="cpu"), 4)
    assert ways(7, HORIZON, seed=0) is None
    assert ways(8, HORIZON, seed=0) is not None, "the next game has begun"


class Restless(gymnasium.Env):
    """Draws its frames from a generator of its own, whatever it was seeded with."""

    observation_space, action_space = Box(0, 255, (64, 64, 3), np.uint8), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.random.default_rng().integers(0, 256, (64, 64, 3)).astype(np.uint8), {}

    def step(self, action):
        return self.reset()[0], 0.0, False, False, {}


def test_a_game_that_does_not_repeat_itself_is_refused():
    agent = JEDI(Restless, preset="tiny", device="cpu")
    with pytest.raises(WaysError, match="draw from the seed of reset"):
        measure_choices(agent, 2, 2, 3, 0, silent)


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_a_dream_that_knows_the_game_is_right_and_a_fresh_one_is_not():
    """Catch: which of two ways catches the ball is decided by the actions alone."""
    learned, fresh = JEDI.from_pretrained("catch", device="cpu"), JEDI("catch", preset="catch", device="cpu")
    measure = partial(measure_choices, moments=12, ways=6, horizon=7, seed=0, report=silent)
    random, end, own, _ = measure(learned)
    assert (random.ways, random.outcome, end.outcome, own.ways) == (KINDS[0], *OUTCOMES, KINDS[1])
    assert random.pairs > 20
    assert random.right.share > 0.9
    assert random.right_encoded.share > 0.9
    assert abs(random.dreamed - random.real) < 0.2
    assert own.real > 0.9, "the agent's own ways catch it"
    assert end.pairs == 0
    assert np.isnan(end.right.share), "every way ends with the ball's fall"
    lost, *_ = measure(fresh)
    assert lost.pairs > 20
    assert lost.right.share < 0.8


def test_on_the_command_line(tmp_path: Path):
    agent = JEDI("catch", preset="tiny", device="cpu").save_pretrained(tmp_path / "agent")
    command = ["bench", "choices", str(agent), "--moments", "3", "--ways", "3", "--horizon", "4"]
    said = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "choices.json")])
    assert said.exit_code == 0, said.output
    assert "pairs of ways on from one moment, 4 steps each" in " ".join(said.output.split())
    found = json.loads((tmp_path / "choices.json").read_text())
    assert [(one["ways"], one["outcome"]) for one in found] == [(kind, what) for kind in KINDS for what in OUTCOMES]
    assert found[0].keys() >= {"pairs", "moments", "right", "right_encoded", "real", "dreamed", "encoded"}
