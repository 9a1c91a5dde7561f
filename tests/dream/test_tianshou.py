"""Tianshou's view of the dream: against its own vector env of single envs, on a world whose answers are known; then
its algorithms, procedural and high-level, in a tiny dream; and one that learns catch there."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.highlevel.env import EnvMode
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic, dist_fn_categorical_from_logits

from jedi_sdk import JEDI
from jedi_sdk.dream import Dream, DreamEnv, DreamError, RealEnv, SingleDreamEnv
from jedi_sdk.dream.tianshou import DreamEnvFactory, DreamVectorEnv, LatentActorFactory, LatentNet

from .by_hand import GOAL, HORIZON, SHAPE, UNIT, ByHand, ByHandEnv, assert_same, starts

N = 5


def dreams(n: int = N, mode: str = "Disabled", **options: Any) -> DreamEnv:
    return DreamEnv(Dream(ByHand(), n, **{"horizon": HORIZON, "starts": starts(2), **options}), mode)


def rows(venv: DreamVectorEnv) -> list[int]:
    """Rows computed so far, call by call."""
    return venv.env.core.world_model.stepped  # pyright: ignore[reportAttributeAccessIssue]


def assert_agree(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> None:
    """Arrays and dtypes the same, and what is told of each env (numbers of envs may be of any integer type)."""
    assert_same(one[:-1], other[:-1])
    assert one[-1].dtype == other[-1].dtype == object
    assert one[-1].tolist() == other[-1].tolist()


def some(rng: np.random.Generator, n: int = N) -> np.ndarray:
    """Some of the envs, in any order."""
    return rng.permutation(n)[: rng.integers(1, n + 1)]


# -- a world whose answers are known ------------------------------------------------------------------------------


def test_it_is_what_tianshou_makes_of_single_ones() -> None:
    """Any of them stepped and reset in any order, as never happens in a collector."""
    ours, theirs = DreamVectorEnv(dreams()), DummyVectorEnv([ByHandEnv] * N)
    assert len(ours) == len(theirs) == N
    rng, over, ended, truncated, stepped = np.random.default_rng(0), np.zeros(N, bool), 0, 0, []
    assert_agree(ours.reset(), theirs.reset())
    for _ in range(300):
        ids = some(rng)
        ids = ids[~over[ids]]
        if len(ids):
            act = rng.integers(3, size=len(ids))
            one, other = ours.step(act, ids), theirs.step(act, ids)
            assert_agree(one, other)
            over[ids] = one[2] | one[3]
            ended, truncated = ended + int(one[2].sum()), truncated + int(one[3].sum())
            stepped.append(len(ids))
        if over.any() and rng.random() < 0.5:
            ids = rng.permutation(np.flatnonzero(over))
            assert_agree(ours.reset(ids), theirs.reset(ids))
            over[ids] = False
    assert ended > 20
    assert truncated > 20
    assert rows(ours) == stepped  # computed once, and nothing for the others
    for key in ("observation_space", "action_space"):
        assert getattr(ours, key) == getattr(theirs, key)
    for id in (None, 0, 3, [1], [4, 2]):
        assert_agree(ours.reset(id), theirs.reset(id))
        act = np.zeros(len(ours._wrap_id(id)), int)
        assert_agree(ours.step(act, id), theirs.step(act, id))


def test_an_episode_by_hand() -> None:
    """From place 2, four steps of 3 reach the goal, and six steps of 1 the horizon; the last frame is not replaced."""
    venv = DreamVectorEnv(dreams(2))
    venv.reset()
    for t in range(4):
        obs, rew, term, trunc, infos = venv.step(np.array([2, 0]))
        assert rew.tolist() == [1, -1]
        assert term.tolist() == [t == 3, False]
        assert not trunc.any()
        assert infos.tolist() == [{"env_id": 0}, {"env_id": 1}]
    np.testing.assert_array_equal(obs[0], np.full(SHAPE, GOAL / UNIT, np.float32))
    venv.step(np.array([0]), [1])
    obs, rew, term, trunc, infos = venv.step(np.array([0]), np.array([1]))
    assert (term.tolist(), trunc.tolist(), infos.tolist()) == ([False], [True], [{"env_id": 1}])
    np.testing.assert_array_equal(obs, np.full((1, *SHAPE), 8 / UNIT, np.float32))
    obs, infos = venv.reset(np.array([1]))
    np.testing.assert_array_equal(obs, np.full((1, *SHAPE), 2 / UNIT, np.float32))
    assert infos.tolist() == [{}]
    with pytest.raises(DreamError, match=r"the dreams \[0\] are over"):
        venv.step(np.array([0, 0]))


@pytest.mark.filterwarnings("ignore:n_episode=2 should be larger")
@pytest.mark.parametrize("episodes", [2, 5, 12])
def test_a_collector_counts_whole_episodes(episodes: int) -> None:
    """Where fewer episodes are left than envs, it steps some of them alone."""
    ours, theirs = DreamVectorEnv(dreams()), DummyVectorEnv([ByHandEnv] * N)
    told = []
    for venv in (ours, theirs):
        torch.manual_seed(0)
        np.random.seed(0)
        collector = Collector[CollectStats](policy(SHAPE, 3), venv, VectorReplayBuffer(1000, N))
        collector.reset()
        told.append(collector.collect(n_episode=episodes))
        assert len(told[-1].returns) == episodes
    assert_same(told[0].returns, told[1].returns)
    assert_same(told[0].lens, told[1].lens)


def test_truncation_is_bootstrapped_from_the_last_observation() -> None:
    venv, buffer = DreamVectorEnv(dreams(2)), VectorReplayBuffer(100, 2)
    collector = Collector[CollectStats](policy(SHAPE, 3), venv, buffer)
    collector.reset()
    collector.collect(n_step=40)
    batch = buffer[np.flatnonzero(buffer.done)]
    places = np.round(batch.obs_next[:, 0, 0, 0] * UNIT)
    np.testing.assert_array_equal(batch.terminated, places >= GOAL)
    np.testing.assert_array_equal(batch.truncated, places < GOAL)
    assert batch.truncated.any()
    assert (places > 2).all()


def test_the_same_seed_is_the_same_dream() -> None:
    def dreamed(seed: Any) -> list[float]:
        venv = DreamVectorEnv(dreams(starts=starts(2, 3, 4, 5, 6)))
        assert venv.seed(seed) == [[7]] * N
        return venv.reset()[0][:, 0, 0, 0].tolist() + venv.reset([1, 3])[0][:, 0, 0, 0].tolist()

    assert dreamed(7) == dreamed([7, 8, 9, 10, 11])
    venv = DreamVectorEnv(dreams())
    assert venv.seed() == [None] * N
    venv.seed(3)
    drawn = [venv.action_space[0].sample() for _ in range(20)]  # pyright: ignore[reportAttributeAccessIssue]
    venv.seed(3)
    assert drawn == [venv.action_space[0].sample() for _ in range(20)]  # pyright: ignore[reportAttributeAccessIssue]


def test_dreams_go_on_from_contexts() -> None:
    venv = DreamVectorEnv(dreams())
    venv.reset()
    frames, actions = np.zeros((2, 2, 64, 64, 3), np.uint8), np.zeros((2, 1), int)
    obs, _ = venv.reset([0, 3], options={"frames": frames, "actions": actions})
    assert obs.shape == (2, *SHAPE)
    assert (obs != 2 / UNIT).all()
    assert (venv.env.observe()[[1, 2, 4]] == np.float32(2 / UNIT)).all()  # pyright: ignore


# -- real games, which move together ------------------------------------------------------------------------------


def together(n: int = N) -> DreamVectorEnv:
    return DreamVectorEnv(SyncVectorEnv([ByHandEnv] * n, autoreset_mode=AutoresetMode.DISABLED))


def test_games_that_move_together_are_stepped_as_collectors_step_them() -> None:
    ours, theirs = together(), DummyVectorEnv([ByHandEnv] * N)
    rng = np.random.default_rng(0)
    for _ in range(20):  # each round as in a collector: all begin anew, and by and by some are left out
        assert_agree(ours.reset(), theirs.reset())
        ids = rng.permutation(N)
        while len(ids):
            act = rng.integers(3, size=len(ids))
            one, other = ours.step(act, ids), theirs.step(act, ids)
            assert_agree(one, other)
            done = ids[one[2] | one[3]]
            if len(done):
                assert_agree(ours.reset(done), theirs.reset(done))
            ids = np.setdiff1d(ids, done) if rng.random() < 0.5 else ids
            if rng.random() < 0.02:
                break


def test_a_game_that_was_left_out_is_reset_before_it_is_stepped() -> None:
    venv = together(3)
    venv.reset()
    for _ in range(HORIZON + 2):  # env 1 is over and begins anew meanwhile: nobody is told
        obs, _, term, trunc, _ = venv.step(np.array([2, 1]), [2, 0])
        done = np.array([2, 0])[term | trunc]
        if len(done):
            venv.reset(done)
    with pytest.raises(DreamError, match=r"the games \[1\] were left out .* reset\(\[1\]\)"):
        venv.step(np.array([0, 0]), [0, 1])
    obs, _ = venv.reset(1)
    np.testing.assert_array_equal(obs, np.full((1, *SHAPE), 2 / UNIT, np.float32))
    obs, rew, *_ = venv.step(np.array([2]), [1])
    assert rew.tolist() == [1]
    np.testing.assert_array_equal(obs, np.full((1, *SHAPE), 5 / UNIT, np.float32))


@pytest.mark.parametrize("left_out", [0, 3])
def test_the_real_game_counts_whole_episodes(agent: JEDI, left_out: int) -> None:
    """Of catch it is known that each lasts seven steps."""
    real = agent.real_env(4, autoreset_mode="Disabled")
    collector = Collector[CollectStats](policy((4, 8, 8), 3), DreamVectorEnv(real), VectorReplayBuffer(1000, 4))
    collector.reset()
    told = collector.collect(n_episode=8 + left_out)
    assert told.lens.tolist() == [7] * (8 + left_out)
    assert set(told.returns.tolist()) <= {-1.0, 1.0}


def test_what_a_wrapper_tells_arrives_at_its_env() -> None:
    venv = DreamVectorEnv(RecordEpisodeStatistics(dreams(2)))
    venv.reset()
    for _ in range(4):
        *_, infos = venv.step(np.array([2, 0]))
    assert "episode" not in infos[1]
    assert (infos[0]["episode"]["r"], infos[0]["episode"]["l"], infos[0]["env_id"]) == (4, 4, 0)


# -- attributes, and what is refused ------------------------------------------------------------------------------


def test_attributes_are_lists() -> None:
    env = dreams()
    venv = DreamVectorEnv(env)
    assert venv.get_env_attr("observation_space", [0, 2]) == [env.single_observation_space] * 2
    assert venv.get_env_attr("core", 1) == [env.core]
    venv.set_env_attr("render_mode", None)
    assert venv.get_env_attr("render_mode", 1) == [None]
    with pytest.raises(DreamError, match="share 'render_mode': set it without id"):
        venv.set_env_attr("render_mode", None, [0])
    assert venv.render() == [None] * N
    assert venv.metadata[0]["autoreset_mode"] is AutoresetMode.DISABLED  # pyright: ignore


def test_pictures_are_a_list() -> None:
    core = Dream(ByHand(), 2, HORIZON, starts(2), probe=lambda z: z.new_zeros(len(z), 3, 64, 64))
    venv = DreamVectorEnv(DreamEnv(core, "Disabled", render_mode="rgb_array"))
    venv.reset()
    assert [picture.shape for picture in venv.render()] == [(256, 256, 3)] * 2


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda venv: venv.step(None), "actions"),
        (lambda venv: venv.step(np.zeros(2, int)), r"shape \(5,\)"),
        (lambda venv: venv.step(np.zeros(2, int), [1]), r"shape \(1,\)"),
        (lambda venv: venv.step(np.zeros(1), [1]), "actions are integers"),
        (lambda venv: venv.step(np.full(1, np.nan), [1]), "NaN: has the policy diverged"),
        (lambda venv: venv.step(np.array([3]), [1]), "actions go from 0 to 2"),
        (lambda venv: venv.step(np.array([0]), [5]), "envs 0 to 4"),
        (lambda venv: venv.step(np.array([0, 0]), [1, 1]), "each env can be meant once"),
        (lambda venv: venv.reset([7]), "envs 0 to 4"),
        (lambda venv: (venv.close(), venv.close(), venv.step(np.zeros(5, int))), "closed"),
    ],
)
@pytest.mark.parametrize("kind", ["dream", "real"])
def test_refusals(agent: JEDI, kind: str, step: Any, message: str) -> None:
    venv = DreamVectorEnv(dreams() if kind == "dream" else agent.real_env(N, autoreset_mode="Disabled"))
    venv.reset()
    with pytest.raises(DreamError, match=message):
        step(venv)


def test_envs_that_reset_themselves_are_refused() -> None:
    for mode in ("SameStep", "NextStep"):
        with pytest.raises(DreamError, match=r"write for example .*autoreset_mode='Disabled'"):
            DreamVectorEnv(dreams(mode=mode))
    tensors = DreamEnv(dreams().core, "Disabled", to_numpy=False)
    with pytest.raises(DreamError, match="leave out to_numpy=False"):
        DreamVectorEnv(tensors)
    with pytest.raises(DreamError, match="these dreams have not begun"):
        DreamVectorEnv(dreams()).step(np.zeros(N, int))
    with pytest.raises(DreamError, match="take Tianshou's own Net"):
        LatentNet((512,))


def test_only_the_adaptor_imports_tianshou_and_says_what_to_install() -> None:
    script = """
import sys
import jedi_sdk.agent, jedi_sdk.dream
assert not any(name.partition(".")[0] == "tianshou" for name in sys.modules)
sys.modules["tianshou"] = None
try:
    import jedi_sdk.dream.tianshou
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'jedi-sdk[tianshou]'" in done.stdout, done.stderr


# -- Tianshou's algorithms ----------------------------------------------------------------------------------------


def actor(shape: Any, actions: int, features: int = 32) -> DiscreteActor:
    return DiscreteActor(preprocess_net=LatentNet(shape, features, 8), action_shape=actions, softmax_output=False)


def policy(shape: Any, actions: int) -> ProbabilisticActorPolicy:
    space = DreamVectorEnv(dreams()).env.single_action_space
    assert space.n == actions  # pyright: ignore[reportAttributeAccessIssue]
    return ProbabilisticActorPolicy(
        actor=actor(shape, actions),
        dist_fn=dist_fn_categorical_from_logits,
        action_space=space,
        action_scaling=False,
        action_bound_method=None,
    )


def dqn_of(dream: DreamVectorEnv, lr: float, features: int, channels: int, **options: Any) -> DQN:
    space = dream.env.single_observation_space.shape
    net = LatentNet(space or (), features, channels)
    model = DiscreteActor(preprocess_net=net, action_shape=3, softmax_output=False)
    q = DiscreteQLearningPolicy(model=model, action_space=dream.env.single_action_space, eps_training=0.3)
    return DQN(policy=q, optim=AdamOptimizerFactory(lr=lr), **options)


def both(agent: JEDI, **view: Any) -> tuple[DreamVectorEnv, DreamVectorEnv]:
    """Dreams, and the real game seen alike."""
    dream = agent.dream_env(8, 5, autoreset_mode="Disabled", **view)
    return DreamVectorEnv(dream), DreamVectorEnv(agent.real_env(3, autoreset_mode="Disabled", **view))


def briefly(algorithm: Any, dream: DreamVectorEnv, real: DreamVectorEnv, explores: bool = False) -> dict[str, Any]:
    """400 steps in the dream, and four games in the real one."""
    return {
        "training_collector": Collector(algorithm, dream, VectorReplayBuffer(1000, 8), exploration_noise=explores),
        "test_collector": Collector(algorithm, real),
        "test_step_num_episodes": 4,
        "max_epochs": 1,
        "epoch_num_steps": 400,
        "verbose": False,
        "show_progress": False,
    }


def test_dqn_in_a_tiny_dream(agent: JEDI) -> None:
    dream, real = both(agent, stack=2)
    dqn = dqn_of(dream, 1e-3, 32, 8, target_update_freq=10)
    settings = {"collection_step_num_env_steps": 80, "update_step_num_gradient_steps_per_sample": 0.05}
    result = dqn.run_training(OffPolicyTrainerParams(**briefly(dqn, dream, real, explores=True), **settings))
    assert (result.train_step, result.update_step) == (400, 5)  # of four gradient steps each
    assert -1 <= result.best_reward <= 1


def test_ppo_in_a_tiny_dream(agent: JEDI) -> None:
    dream, real = both(agent)
    acting = policy(agent.world_model.latent_shape, 3)
    critic = DiscreteCritic(preprocess_net=acting.actor.preprocess)
    ppo = PPO(policy=acting, critic=critic, optim=AdamOptimizerFactory(lr=1e-3))
    before = [parameter.clone() for parameter in ppo.parameters()]
    result = ppo.run_training(OnPolicyTrainerParams(**briefly(ppo, dream, real), collection_step_num_env_steps=200))
    assert result.train_step == 400
    assert -1 <= result.best_reward <= 1
    assert any(not torch.equal(one, other) for one, other in zip(before, ppo.parameters(), strict=True))


def test_the_factory_dreams_to_train_and_plays_to_test(agent: JEDI) -> None:
    factory = DreamEnvFactory(agent, horizon=5, view={"stack": 2}, reward="mean", sampler={"steps": 1})
    envs = factory.create_envs(4, 3, create_watch_env=True, seed=1)
    assert isinstance(envs.env, SingleDreamEnv)
    assert envs.get_observation_shape() == (8, 8, 8)
    assert envs.get_action_shape() == 3
    kinds = [(envs.training_envs, DreamEnv, 4), (envs.test_envs, RealEnv, 3), (envs.watch_env, RealEnv, 1)]
    for venv, kind, n in kinds:
        assert isinstance(venv, DreamVectorEnv)
        assert isinstance(venv.env, kind)
        assert len(venv) == n
        assert venv.reset()[0].shape == (n, 8, 8, 8)
    core = envs.training_envs.get_env_attr("core")[0]
    assert (core.horizon, core.reward, core.sampler.steps) == (5, "mean", 1)
    one, again, other = (
        factory.create_venv(4, EnvMode.TRAINING, seed).reset(options={})[0].tolist() for seed in (3, 3, 4)
    )
    assert one == again != other


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_the_high_level_api_in_a_tiny_dream(agent: JEDI, name: str) -> None:
    from tianshou.highlevel.config import OffPolicyTrainingConfig, OnPolicyTrainingConfig
    from tianshou.highlevel.experiment import DQNExperimentBuilder, ExperimentConfig, PPOExperimentBuilder
    from tianshou.highlevel.module.actor import IntermediateModuleFactoryFromActorFactory

    sizes = {"max_epochs": 1, "epoch_num_steps": 400, "num_training_envs": 8, "num_test_envs": 3}
    sizes |= {"collection_step_num_env_steps": 200, "test_step_num_episodes": 4}
    config = ExperimentConfig(persistence_enabled=False, device="cpu", seed=0)
    envs, net = DreamEnvFactory(agent, horizon=5, view={"stack": 2}), LatentActorFactory(32)
    if name == "PPO":
        builder = PPOExperimentBuilder(envs, config, OnPolicyTrainingConfig(**sizes)).with_actor_factory(net)
        builder = builder.with_critic_factory_use_actor()
    else:
        sizes["update_step_num_gradient_steps_per_sample"] = 0.05
        model = IntermediateModuleFactoryFromActorFactory(net)
        builder = DQNExperimentBuilder(envs, config, OffPolicyTrainingConfig(**sizes)).with_model_factory(model)
    result = builder.build().run()
    assert result.trainer_result is not None
    assert result.trainer_result.train_step == 400
    assert -1 <= result.trainer_result.best_reward <= 1
    nets = [module for module in result.world.algorithm.modules() if isinstance(module, LatentNet)]
    assert nets


# -- slow: catch, learned in dreams alone -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def catch_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in ``JEDI_CATCH_RUN``, or one that is trained now, for some ten minutes."""
    if run_dir := os.environ.get("JEDI_CATCH_RUN"):
        return Path(run_dir)
    folder = tmp_path_factory.mktemp("runs") / "catch"
    JEDI("catch").learn(run_dir=folder, progress=False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dqn_learns_catch_in_dreams_alone(catch_run: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``examples/08_tianshou.py`` does, with 200 real games behind it."""
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "08_tianshou.py"))
    began = time.monotonic()
    example["main"](catch_run, seed=seed)
    seconds = time.monotonic() - began
    score = re.search(r"mean score of 200 real games: (-?\d\.\d\d)", capsys.readouterr().out)
    assert score
    with capsys.disabled():
        print(f"seed {seed}: {score[1]} over 200 real games, {seconds:.0f} s")
    assert float(score[1]) >= 0.9
    assert seconds < 300
