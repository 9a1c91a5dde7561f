"""Which game a name means, and what the benchmark's table makes of a score."""

import subprocess
import sys

import gymnasium
import pytest

from jedi_sdk.envs import Game, UnknownGameError, human_normalised, make_envs, register, resolve_game
from jedi_sdk.envs.catch import CatchEnv
from jedi_sdk.envs.games import atari_games
from jedi_sdk.envs.scores import ATARI_100K

SPELLINGS = [
    "ms_pacman",
    "MsPacman",
    "Ms. Pacman".replace(".", ""),
    "MS-PACMAN",
    "ALE/MsPacman-v5",
    "MsPacman-v4",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_of_an_atari_game_is_the_same_game(text):
    assert resolve_game(text) == Game("ms_pacman", "atari")


@pytest.mark.parametrize("text", ["catch", "Catch", "JEDI/Catch-v0"])
def test_catch(text):
    assert resolve_game(text) == Game("catch", "catch")


def test_the_26_games_of_the_benchmark_exist_as_roms():
    assert len(ATARI_100K) == 26
    assert set(ATARI_100K) <= set(atari_games())


def test_every_ale_id_resolves_to_its_rom_and_its_name_resolves_to_itself():
    ids = {id: spec.kwargs["game"] for id, spec in gymnasium.registry.items() if spec.namespace == "ALE"}
    assert len(ids) > 100
    for id, rom in ids.items():
        assert resolve_game(id) == Game(rom, "atari") == resolve_game(rom)


def test_legacy_ids_mean_the_benchmarks_settings_too():
    assert resolve_game("PongNoFrameskip-v4") == Game("pong", "atari")


def test_a_gymnasium_id_stays_as_it_is_registered():
    assert resolve_game("CartPole-v1") == Game("CartPole-v1", "gymnasium")


def test_somebody_elses_game_wins_over_an_old_atari_id():
    gymnasium.register("Pong-v5", entry_point="jedi_sdk.envs.catch:CatchEnv")
    try:
        assert resolve_game("Pong-v5").kind == "gymnasium"
    finally:
        gymnasium.registry.pop("Pong-v5")


def test_a_module_in_front_of_an_id_is_imported(tmp_path, monkeypatch):
    code = "import gymnasium\ngymnasium.register('Mine-v0', entry_point='jedi_sdk.envs.catch:CatchEnv')\n"
    (tmp_path / "their_games.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        game = resolve_game("their_games:Mine-v0")
        assert game == Game("their_games:Mine-v0", "gymnasium")
        assert make_envs(game, 1).reset(seed=0)[0].shape == (1, 64, 64, 3)
    finally:
        gymnasium.registry.pop("Mine-v0", None)


def test_a_function_is_a_game():
    game = resolve_game(CatchEnv)
    assert (game.name, game.kind, game.make) == ("CatchEnv", "callable", CatchEnv)
    assert resolve_game(lambda: CatchEnv()).name == "lambda"


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("breakot", "'breakout'"),
        ("ALE/Tenis-v5", "'tennis'"),
        ("cach", "'catch'"),
        ("CartPole", "'CartPole-v1'"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_name_and_the_accepted_forms(typo, meant):
    with pytest.raises(UnknownGameError) as error:
        resolve_game(typo)
    assert repr(typo) in str(error.value)
    assert meant in str(error.value)
    assert "function that returns a gymnasium.Env" in str(error.value)


def test_a_name_like_nothing_gets_no_guess():
    with pytest.raises(UnknownGameError) as error:
        resolve_game("qqqqqq")
    assert "Did you mean" not in str(error.value)


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(UnknownGameError, match="importing the module 'no_such_module' failed"):
        resolve_game("no_such_module:Game-v0")


@pytest.mark.parametrize("module", ["./my_games", "my_games.py", "./my_games.py", "../my_games", ".my_games"])
def test_a_path_is_no_module(module):
    with pytest.raises(UnknownGameError, match="is no module's name"):
        resolve_game(f"{module}:Game-v0")


def test_an_environment_that_already_exists_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="lambda: MyEnv"):
        resolve_game(CatchEnv())  # type: ignore[arg-type]


def test_human_normalised_is_0_for_random_and_1_for_human():
    for name, (random, human) in ATARI_100K.items():
        assert human_normalised(name, random) == 0.0
        assert human_normalised(name, human) == 1.0
    assert human_normalised("Breakout", 132.7) == pytest.approx(4.5486, abs=1e-4)  # (132.7 - 1.7) / 28.8
    assert human_normalised("ALE/Tennis-v5", 3.0) is None
    assert human_normalised("catch", 1.0) is None

    def breakout() -> gymnasium.Env:
        return CatchEnv()

    assert human_normalised(resolve_game(breakout), 30.0) is None  # of the same name, and another game


def test_registering_twice_is_silent_and_both_entry_points_work(recwarn):
    register()
    register()
    assert not recwarn.list
    assert gymnasium.make("JEDI/Catch-v0").reset(seed=0)[0].shape == (64, 64, 3)
    envs = gymnasium.make_vec("JEDI/Catch-v0", num_envs=3, autoreset_mode="SameStep")
    assert envs.reset(seed=0)[0].shape == (3, 64, 64, 3)
    assert envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP


def test_importing_the_package_imports_neither_ale_nor_opencv_nor_torch():
    code = (
        "import sys; from jedi_sdk.envs import register, resolve_game; register(); resolve_game('breakout'); "
        "print([name for name in ('ale_py', 'cv2', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
