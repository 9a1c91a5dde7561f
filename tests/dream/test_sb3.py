"""The dream and the real game in Stable-Baselines3: its own checks and wrappers, on a world whose answers are known."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from jedi_sdk import JEDI, DreamError
from jedi_sdk.dream import Dream, DreamEnv, SingleDreamEnv
from jedi_sdk.dream.sb3 import BatchedBootstrap, DreamVecEnv, LatentFeatures, latent_policy, refuse_what_is_not_for_sb3

from .by_hand import GOAL, HORIZON, SHAPE, UNIT, ByHand, ByHandEnv, assert_same, starts

N = 6
SMALL = latent_policy(features_dim=16, channels=8)


def dream(n: int = N, mode: AutoresetMode | str = "SameStep", to_numpy: bool = True, **options: Any) -> DreamEnv:
    return DreamEnv(Dream(ByHand(), n, **{"horizon": HORIZON, "starts": starts(2), **options}), mode, to_numpy)


def without_clock(infos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is told, in plain types, but for the wall-clock time."""
    told = [dict(info) for info in infos]
    for info in told:
        if "episode" in info:
            info["episode"] = {"r": float(info["episode"]["r"]), "l": int(info["episode"]["l"])}
    return told


@pytest.fixture(scope="module")
def tiny_agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    return JEDI("catch", preset="tiny", seed=3).learn(run_dir=tmp_path_factory.mktemp("runs") / "run", progress=False)


# -- the env ----------------------------------------------------------------------------------------------------


def test_their_own_check_of_a_single_dream() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "It seems that your observation|The minimal resolution")  # it is no image
        check_env(SingleDreamEnv(Dream(ByHand(), 1, HORIZON, starts(2))))


def test_it_is_what_they_make_of_single_ones() -> None:
    """Observations, rewards, ends, and all that is told, against their ``DummyVecEnv``; again after a reset."""
    ours, theirs = DreamVecEnv(dream()), DummyVecEnv([lambda: Monitor(ByHandEnv())] * N)
    rng, ended, truncated = np.random.default_rng(0), 0, 0
    assert (ours.num_envs, ours.observation_space, ours.action_space) == (
        theirs.num_envs,
        theirs.observation_space,
        theirs.action_space,
    )
    for _ in range(2):
        np.testing.assert_array_equal(ours.reset(), theirs.reset())
        for _ in range(50):
            act = rng.integers(3, size=N)
            one, other = ours.step(act), theirs.step(act)
            assert_same(one[:3], other[:3])
            for told, expected in zip(without_clock(one[3]), without_clock(other[3]), strict=True):
                assert_same(told, expected)
                truncated += told["TimeLimit.truncated"]
            ended += int(one[2].sum())
    assert truncated > 10
    assert ended - truncated > 10


def test_an_episode_by_hand() -> None:
    """From place 2, four steps of 3 reach the goal, and six steps of 1 the horizon."""
    env = DreamVecEnv(dream(2))
    obs, infos = env.reset(), [{}]
    for act in (2, 2, 2, 2):
        obs, rew, done, infos = env.step(np.array([act, 0]))
        assert rew.dtype == np.float32
        assert rew.tolist() == [1, -1]
    assert done.tolist() == [True, False]
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["episode"]["r"] == infos[0]["episode"]["l"] == 4
    assert infos[1] == {"TimeLimit.truncated": False}
    np.testing.assert_array_equal(infos[0]["terminal_observation"], np.full(SHAPE, GOAL / UNIT, np.float32))
    np.testing.assert_array_equal(obs[0], np.full(SHAPE, 2 / UNIT, np.float32))
    env.step(np.array([0, 0]))
    _, _, done, infos = env.step(np.array([0, 0]))
    assert done.tolist() == [False, True]
    assert infos[1]["TimeLimit.truncated"] is True
    assert (infos[1]["episode"]["r"], infos[1]["episode"]["l"]) == (-6, 6)
    np.testing.assert_array_equal(infos[1]["terminal_observation"], np.full(SHAPE, 8 / UNIT, np.float32))


def test_the_end_in_the_last_step_is_no_truncation() -> None:
    env = DreamVecEnv(dream(1, horizon=4))
    env.reset()
    for _ in range(4):
        _, _, done, infos = env.step(np.array([2]))
    assert done.all()
    assert infos[0]["TimeLimit.truncated"] is False


def test_what_was_given_stays_and_may_be_written_to() -> None:
    """They add values to rewards in place, and keep observations until the next."""
    env, other = DreamVecEnv(dream(3)), DreamVecEnv(dream(3))
    kept = [env.reset()]
    other.reset()
    for act in (2, 1, 2, 2, 0, 2, 2, 2):
        acts = np.array([act, 2, 0])
        obs, rew, done, _ = other.step(acts)
        for array, expected in zip(env.step(acts)[:3], (obs, rew, done), strict=True):
            np.testing.assert_array_equal(array, expected)
            kept.append(array)
        kept[-2] += 100
    assert len({array.ctypes.data for array in kept}) == len(kept)


def test_their_monitor_counts_the_same() -> None:
    ours, theirs = DreamVecEnv(dream()), VecMonitor(DreamVecEnv(dream(), monitor=False))
    rng, episodes = np.random.default_rng(0), 0
    ours.reset(), theirs.reset()
    for _ in range(40):
        act = rng.integers(3, size=N)
        for told, expected in zip(*(without_clock(env.step(act)[3]) for env in (ours, theirs)), strict=True):
            assert_same(told, expected)
            episodes += "episode" in told
    assert episodes > 20
    assert ours.env_is_wrapped(Monitor) == [True] * N
    assert DreamVecEnv(dream(), monitor=False).env_is_wrapped(Monitor) == [False] * N


def test_what_gymnasium_tells_of_each_env() -> None:
    """Masked, nested, and of the step that ended an episode, not of the reset behind it."""

    class Telling(ByHandEnv):
        def reset(self, **kwargs: Any) -> Any:
            return super().reset(**kwargs)[0], {"place": self.place, "begun": True}

        def step(self, action: Any) -> Any:
            *rest, _ = super().step(action)
            return *rest, {"place": self.place, "much": {"more": self.place}} if action else {"place": self.place}

    env = DreamVecEnv(RecordEpisodeStatistics(SyncVectorEnv([Telling] * 2, autoreset_mode="SameStep")))  # pyright: ignore
    env.reset()
    assert env.reset_infos == [{"place": 2, "begun": True}] * 2
    for t in range(4):
        _, _, done, infos = env.step(np.array([2, 0]))
        assert [info["place"] for info in infos] == [5 + 3 * t, 3 + t]
        assert [info.get("much") for info in infos] == [{"more": 5 + 3 * t}, None]
        assert not any("begun" in info for info in infos)
    assert done.tolist() == [True, False]
    assert infos[0]["episode"]["r"] == 4


def test_ales_own_vector_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives final observations as one batch without a mask, and integers as rewards."""
    monkeypatch.setattr(AtariVectorEnv, "metadata", {})  # else it writes into that of all vector envs
    ales: Any = AtariVectorEnv(
        "pong", 2, stack_num=4, img_height=36, img_width=36, max_num_frames_per_episode=200, autoreset_mode="SameStep"
    )
    env, cut = DreamVecEnv(ales), 0
    env.seed(0)
    env.reset()
    for _ in range(60):
        obs, rew, done, infos = env.step(np.zeros(2, np.int64))
        assert rew.dtype == np.float32
        for i in np.flatnonzero(done):
            assert infos[i]["TimeLimit.truncated"]
            assert infos[i]["terminal_observation"].shape == (4, 36, 36)
            assert (infos[i]["terminal_observation"] != obs[i]).any()
            cut += 1
    assert cut
    assert infos[0]["lives"] == 0
    PPO("CnnPolicy", env, n_steps=8, batch_size=8, n_epochs=1, policy_kwargs={"features_extractor_kwargs": {}}).learn(
        16
    )


def test_the_same_seed_is_the_same_dream(tiny_agent: JEDI) -> None:
    def dreamed(seed: int) -> np.ndarray:
        env = DreamVecEnv(tiny_agent.dream_env(4, horizon=5))
        env.seed(seed)
        return np.stack([env.reset(), *(env.step(np.zeros(4, int))[0] for _ in range(7))])

    np.testing.assert_array_equal(dreamed(3), dreamed(3))
    assert (dreamed(3) != dreamed(4)).any()


def test_a_seed_is_used_once() -> None:
    class Heard(ByHandEnv):
        heard: list[Any] = []

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            self.heard.append((seed, options))
            return super().reset(seed=seed)

    env = DreamVecEnv(SyncVectorEnv([Heard] * 2, autoreset_mode="SameStep"))  # pyright: ignore
    env.seed(7)
    env.set_options({"far": True})
    env.reset()
    env.reset()
    assert Heard.heard == [(7, {"far": True}), (8, {"far": True}), (None, None), (None, None)]


def test_attributes_and_methods_are_those_of_the_one_that_holds_all(tiny_agent: JEDI) -> None:
    real = tiny_agent.real_env(2)
    env = DreamVecEnv(RecordEpisodeStatistics(real))
    assert env.get_attr("view") == [real.view] * 2
    assert env.get_attr("view", 0) == [real.view]
    assert env.env_is_wrapped(RecordEpisodeStatistics) == [True, True]
    assert not env.has_attr("nothing")
    env.set_attr("reward", "sign")
    assert real.reward == "sign"
    dreams = DreamVecEnv(dream())
    assert dreams.env_method("set_sampler", steps=3) == [None] * N
    assert dreams.get_attr("sampler")[0].steps == 3
    with pytest.raises(DreamError, match=r"env_method\('set_sampler'\) is for all envs .* leave out indices"):
        dreams.env_method("set_sampler", steps=1, indices=[0, 2])
    dreams.close()
    with pytest.raises(DreamError, match="is closed"):
        dreams.reset()


def test_pictures_are_tiled() -> None:
    core = Dream(ByHand(), 4, HORIZON, starts(2), probe=lambda z: torch.zeros(len(z), 3, 64, 64))
    env = DreamVecEnv(DreamEnv(core, render_mode="rgb_array"))
    env.reset()
    picture = env.render()
    assert picture is not None
    assert picture.shape == (512, 512, 3)


# -- refusals ---------------------------------------------------------------------------------------------------


def test_what_is_not_a_vector_env_that_resets_in_the_same_step() -> None:
    with pytest.raises(DreamError, match=r"takes a gymnasium VectorEnv, not .*agent\.dream_env\(num_envs=64\)"):
        refuse_what_is_not_for_sb3(ByHandEnv())
    with pytest.raises(DreamError, match="takes a gymnasium VectorEnv"):
        refuse_what_is_not_for_sb3(DreamVecEnv(dream()))
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
        with pytest.raises(DreamError, match=rf"resets in mode {mode}, .*make it with autoreset_mode='SameStep'"):
            DreamVecEnv(dream(mode=mode))
    with pytest.raises(DreamError, match="writes over its last observations"):
        DreamVecEnv(SyncVectorEnv([ByHandEnv], copy=False, autoreset_mode="SameStep"))  # pyright: ignore


def test_tensors_and_options_for_each_env() -> None:
    with pytest.raises(DreamError, match="make them without to_numpy=False"):
        DreamVecEnv(dream(to_numpy=False)).reset()
    with pytest.raises(DreamError, match="give options as one dict"):
        DreamVecEnv(dream()).set_options([{}] * N)


@pytest.mark.parametrize(("shape", "dtype"), [((16,), np.float32), ((64, 64, 3), np.uint8)])
def test_a_latent_policy_for_what_is_no_latent(shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(DreamError, match=r"reads latents \(c, h, w\), not Box.*PPO\('MlpPolicy', \.\.\.\)"):
        LatentFeatures(gymnasium.spaces.Box(0, 1, shape, dtype))


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_without_sb3_the_import_says_what_to_install() -> None:
    done = run("import sys; sys.modules['stable_baselines3'] = None; import jedi_sdk.dream.sb3")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("pip install 'jedi-sdk[sb3]'")


def test_nothing_else_imports_it() -> None:
    done = run("import sys, jedi_sdk.dream, jedi_sdk.agent; assert 'stable_baselines3' not in sys.modules")
    assert done.returncode == 0, done.stderr


# -- truncated dreams -------------------------------------------------------------------------------------------


def learned(algorithm: Any, callback: Any, wrap: Any = lambda env: env) -> tuple[Any, list[int]]:
    """A model after two rollouts in which all dreams are truncated, and some end; how many states each valuing took.

    By small plain steps: PPO's ten epochs of Adam would make much of the last digits, in which a batch differs from
    single states.
    """
    plain = {**SMALL, "optimizer_class": torch.optim.SGD}
    env = wrap(DreamVecEnv(dream(8, starts=starts(0, 1, 5), horizon=4)))
    model = algorithm("CnnPolicy", env, n_steps=16, gamma=0.9, learning_rate=1e-5, policy_kwargs=plain, seed=0)
    torch.nn.init.ones_(model.policy.value_net.bias)
    valued, values_of = [], model.policy.predict_values
    model.policy.predict_values = lambda obs: valued.append(len(obs)) or values_of(obs)
    return model.learn(2 * 8 * 16, callback=callback), valued


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("wrap", [lambda env: env, VecNormalize], ids=["plain", "normalised"])
def test_values_of_all_at_once_are_their_own(algorithm: Any, wrap: Any) -> None:
    one_by_one, calls = learned(algorithm, None, wrap)
    together, fewer_calls = learned(algorithm, BatchedBootstrap(), wrap)
    for name in ("rewards", "returns", "advantages", "values", "episode_starts", "actions", "observations"):
        one, other = (getattr(model.rollout_buffer, name) for model in (one_by_one, together))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=name)
    for one, other in zip(one_by_one.policy.parameters(), together.policy.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    assert sum(calls) == sum(fewer_calls)  # the same states
    assert max(fewer_calls) == 8
    assert len(calls) > 3 * len(fewer_calls)


def test_a_truncated_dream_pays_what_the_critic_expects_of_it() -> None:
    """All of them at step 6: the critic says 1 everywhere, so the last reward is -1 + gamma."""
    for callback in (None, BatchedBootstrap()):
        model = PPO("CnnPolicy", DreamVecEnv(dream(4)), n_steps=6, batch_size=4, gamma=0.9, policy_kwargs=SMALL)
        torch.nn.init.zeros_(model.policy.value_net.weight)
        torch.nn.init.ones_(model.policy.value_net.bias)
        torch.nn.init.zeros_(model.policy.action_net.weight)  # pyright: ignore
        model.policy.action_net.bias.data = torch.tensor([99.0, 0, 0])  # pyright: ignore  # always action 0
        model.train = lambda: None  # pyright: ignore  # the rollout is all that is looked at
        model.learn(24, callback=callback)
        np.testing.assert_allclose(model.rollout_buffer.rewards, [[-1] * 4] * 5 + [[-1 + 0.9] * 4], rtol=1e-6)


def test_dqn_is_left_alone_and_keeps_its_flag() -> None:
    model = DQN("CnnPolicy", DreamVecEnv(dream(4)), policy_kwargs=SMALL, buffer_size=200, learning_starts=100, seed=0)
    model.learn(80, callback=CallbackList([BatchedBootstrap()]))
    assert model.replay_buffer is not None
    assert model.replay_buffer.timeouts.any()


def test_a_policy_with_memory_is_refused() -> None:
    class Recurrent(ActorCriticCnnPolicy):
        def predict_values(self, obs: Any, lstm_states: Any, episode_starts: Any) -> Any: ...  # pyright: ignore

    model = PPO(Recurrent, DreamVecEnv(dream(2)), n_steps=4, batch_size=4, policy_kwargs=SMALL)
    with pytest.raises(DreamError, match="this policy's values need one: leave it out"):
        model.learn(8, callback=BatchedBootstrap())


# -- learning ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [1, 4])
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (PPO, {"n_steps": 16, "batch_size": 64, "n_epochs": 2}),
        (A2C, {}),
        (DQN, {"buffer_size": 500, "learning_starts": 50, "batch_size": 16}),
    ],
    ids=["PPO", "A2C", "DQN"],
)
def test_what_learns_in_the_dream_plays_the_real_game(
    tiny_agent: JEDI, algorithm: Any, settings: dict[str, Any], stack: int, tmp_path: Path
) -> None:
    dreams = DreamVecEnv(tiny_agent.dream_env(8, horizon=7, stack=stack))
    real = DreamVecEnv(tiny_agent.real_env(2, stack=stack))
    model = algorithm("CnnPolicy", dreams, policy_kwargs=SMALL, seed=0, **settings)
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(300)
    assert any((p != old).any() for p, old in zip(model.policy.parameters(), before, strict=True))
    assert len(model.ep_info_buffer) > 20  # what it logs as ep_rew_mean
    with warnings.catch_warnings(action="error"):  # it warns of an env without a monitor
        scores, lengths = evaluate_policy(model, real, 6, return_episode_rewards=True)
    assert isinstance(scores, list)
    assert set(scores) <= {-1.0, 1.0}
    assert lengths == [7] * 6
    model.save(tmp_path / "model")
    loaded = algorithm.load(tmp_path / "model", env=real)
    obs = real.reset()
    np.testing.assert_array_equal(loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0])


@pytest.mark.parametrize(("obs", "policy"), [("features", "MlpPolicy"), ("pixels", "CnnPolicy")])
def test_other_views_need_no_policy_of_ours(tiny_agent: JEDI, obs: str, policy: str) -> None:
    probe = (lambda z: torch.zeros(len(z), 3, 64, 64)) if obs == "pixels" else None
    dreams = DreamVecEnv(tiny_agent.dream_env(4, horizon=3, obs=obs, probe=probe))
    PPO(policy, dreams, n_steps=4, batch_size=8, n_epochs=1).learn(32, callback=BatchedBootstrap())


# -- slow: catch, learned in dreams alone -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def catch_agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    """That of the run in ``JEDI_CATCH_RUN``, or one that is trained now, for some ten minutes."""
    if run_dir := os.environ.get("JEDI_CATCH_RUN"):
        return JEDI.from_pretrained(run_dir)
    return JEDI("catch").learn(run_dir=tmp_path_factory.mktemp("runs") / "catch", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ppo_learns_catch_in_dreams_alone(catch_agent: JEDI, seed: int) -> None:
    began = time.monotonic()
    dreams = DreamVecEnv(catch_agent.dream_env(num_envs=64, horizon=8))
    model = PPO(
        "CnnPolicy",
        dreams,
        n_steps=16,
        batch_size=256,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.97,
        ent_coef=0.01,
        policy_kwargs=latent_policy(),
        seed=seed,
    )
    model.learn(30_000, callback=BatchedBootstrap())
    seconds = time.monotonic() - began
    real = DreamVecEnv(catch_agent.real_env(num_envs=8))
    real.seed(seed)
    score, _ = evaluate_policy(model, real, 200)
    print(f"seed {seed}: {score:.3f} over 200 real games, {seconds:.0f} s")
    assert isinstance(score, float)
    assert score >= 0.9
    assert seconds < 300
