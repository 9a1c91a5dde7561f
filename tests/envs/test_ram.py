"""The RAM's ball, paddles and boxers against the pixels that the console draws."""

from collections.abc import Callable

import numpy as np
import pytest

from jedi_sdk.envs import Game, make_envs, make_single, positions, resolve_game
from jedi_sdk.envs.catch import CatchEnv

BREAKOUT, PONG, BOXING = resolve_game("breakout"), resolve_game("pong"), resolve_game("boxing")
Play = Callable[[dict[str, float], Game, int], int]
RED, WHITE, GREEN, ORANGE = (200, 72, 72), (236, 236, 236), (92, 186, 92), (213, 130, 74)


def chase(found: dict[str, float], game: Game, t: int) -> int:
    """Follows the ball most of the time, so that there is much to compare; actions of the minimal sets."""
    if not found["in_play"]:
        return 1  # FIRE
    gap = found["ball_x"] - found["paddle_x"] - 8 if game is BREAKOUT else found["paddle_y"] + 8 - found["ball_y"]
    direction = 2 if gap > 2 else 3 if gap < -2 else 0  # right or up; left or down
    return direction if (t // 150) % 3 < 2 else 0  # and sometimes lets it pass


def wander(found: dict[str, float], game: Game, t: int) -> int:
    """One of the eighteen actions for twelve frames, then another."""
    return t // 12 * 7 % 18


def watch(game: Game, frames: int, play: Play = chase) -> list[tuple[dict[str, float], np.ndarray]]:
    """Frame by frame: what the RAM says and what the screen shows."""
    env = make_single(game).unwrapped
    env.reset(seed=0)
    seen = []
    for t in range(frames):
        found = positions(game, env)
        assert found is not None
        seen.append((found, env.render()))
        if env.step(play(found, game, t))[2]:
            env.reset()
    return seen


def sprite(picture: np.ndarray, colour: tuple[int, int, int], rows: slice, cols: slice) -> tuple | None:
    """Left, top, width and height of what has this colour in the window."""
    ys, xs = np.nonzero((picture[rows, cols] == colour).all(-1))
    if not len(ys):
        return None
    left, top = int(xs.min()) + (cols.start or 0), int(ys.min()) + (rows.start or 0)
    return left, top, int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1


@pytest.fixture(scope="module")
def breakout():
    return watch(BREAKOUT, 1500)


@pytest.fixture(scope="module")
def pong():
    return watch(PONG, 1500)


@pytest.fixture(scope="module")
def boxing():
    return watch(BOXING, 1500, wander)


def test_the_ball_of_breakout_is_where_the_ram_says(breakout):
    """Between the bricks and the paddle nothing but the ball is red."""
    whole = [(found, ball) for found, picture in breakout if (ball := field_ball(picture)) and ball[2:] == (2, 4)]
    assert len(whole) > 500
    assert all((found["ball_x"], found["ball_y"]) == ball[:2] for found, ball in whole)


def field_ball(picture):
    return sprite(picture, RED, slice(93, 188), slice(None))


def test_a_missed_ball_is_out_of_sight_for_more_than_four_steps(breakout):
    """Why the preset ``small`` remembers eight: four steps of four frames later nothing tells a ball that is about to
    cost a life from one that has not been served."""
    longest = streak = 0
    for found, picture in breakout:
        missed = found["ball_y"] > 194
        assert not (missed and sprite(picture, RED, slice(193, None), slice(8, 152)))
        streak = streak + 1 if missed else 0
        longest = max(longest, streak)
    assert longest > 4 * 4


def test_the_paddle_of_breakout_is_where_the_ram_says(breakout):
    paddles = [(found, sprite(picture, RED, slice(191, 193), slice(8, 152))) for found, picture in breakout]
    whole = [(found, paddle) for found, paddle in paddles if paddle and paddle[2] == 16 and not found["ball_y"] > 186]
    assert len({paddle[0] for _, paddle in whole}) > 20
    assert all(found["paddle_x"] == paddle[0] for found, paddle in whole)


def test_without_a_ball_in_breakout_nothing_is_in_play(breakout):
    """In the empty field a ball is seen while one is in play, and only then (a wall hides it for a frame)."""
    out = [picture for found, picture in breakout if not found["in_play"]]
    assert len(out) > 2  # before the first ball and after a lost one
    assert not any(field_ball(picture) for picture in out)
    assert all(np.isnan(found["ball_x"]) for found, _ in breakout if not found["in_play"])
    in_field = [picture for found, picture in breakout if 93 < found["ball_y"] < 184 and 8 <= found["ball_x"] <= 150]
    assert len(in_field) > 500
    assert all(field_ball(picture) for picture in in_field)


def test_breakout_waits_for_fire():
    env = make_single(BREAKOUT)
    env.reset(seed=0)
    for _ in range(20):
        env.step(0)
    assert positions(BREAKOUT, env)["in_play"] == 0.0  # type: ignore[index]
    env.step(1)
    assert positions(BREAKOUT, env)["in_play"] == 1.0  # type: ignore[index]


def test_the_ball_of_pong_is_where_the_ram_says(pong):
    balls = [(found, sprite(picture, WHITE, slice(34, 194), slice(None))) for found, picture in pong]
    whole = [(found, ball) for found, ball in balls if ball and ball[2:] == (2, 4)]
    assert len(whole) > 500
    assert all(found["ball_x"] == ball[0] for found, ball in whole)
    assert all(abs(found["ball_y"] - ball[1]) <= 1 for found, ball in whole)
    assert all(found["in_play"] for found, _ in whole)
    assert not any(ball for found, ball in balls if not found["in_play"])
    assert sum(not found["in_play"] for found, _ in pong) > 100  # before the first serve and between points


@pytest.mark.parametrize(
    ("name", "colour", "cols", "slack"),
    [("paddle_y", GREEN, slice(138, 146), 1), ("enemy_y", ORANGE, slice(14, 22), 0)],
)
def test_the_paddles_of_pong_are_where_the_ram_says(pong, name, colour, cols, slack):
    paddles = [(found, sprite(picture, colour, slice(34, 194), cols)) for found, picture in pong]
    whole = [(found, paddle) for found, paddle in paddles if paddle and paddle[3] == 16 and 34 < paddle[1] < 178]
    assert len({paddle[1] for _, paddle in whole}) > 20
    assert all(abs(found[name] - paddle[1]) <= slack for found, paddle in whole)


@pytest.mark.parametrize(("who", "colour"), [("player", (214, 214, 214)), ("enemy", (0, 0, 0))])
def test_the_boxers_are_where_the_ram_says(boxing, who, colour):
    """Of a boxer with both arms drawn in, facing right as the player does at first; a reaching arm is wider."""
    sprites = [(found, sprite(picture, colour, slice(36, 175), slice(34, 126))) for found, picture in boxing]
    whole = [(found, boxer) for found, boxer in sprites if boxer and boxer[2:] == (14, 47)]
    assert len({boxer[:2] for _, boxer in whole}) > 100
    assert all(abs(found[f"{who}_x"] - boxer[0]) <= 2 for found, boxer in whole)
    assert all(abs(found[f"{who}_y"] - boxer[1]) <= 2 for found, boxer in whole)
    assert all(found["in_play"] for found, _ in whole)


def test_other_games_have_no_known_positions():
    assert positions(resolve_game("seaquest"), make_single("seaquest")) is None
    assert positions(resolve_game("catch"), CatchEnv()) is None


def test_a_vector_of_environments_shows_no_ram():
    with pytest.raises(TypeError, match="pass a single ALE environment"):
        positions(PONG, make_envs("pong", 1))  # type: ignore[arg-type]
