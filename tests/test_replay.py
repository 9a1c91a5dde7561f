"""The replay against a plain list of what was written: every frame carries its env and its row in its pixels."""

import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from jedi_sdk.presets import ATARI100K
from jedi_sdk.replay import FRAME, Replay

CONTEXT, CAPACITY = 4, 24  # 24 frames of 2 envs: 12 rows, so that most streams wrap around
GO = {"act": 0, "rew": 0, "end": False, "trunc": False, "dead": False}


@dataclass
class Stream:
    """Writes what envs would show into ``replay``, and remembers it as ``log[row][env]``.

    An event an env and row: ``go``; ``end`` and ``trunc``, behind which a dead row shows the last frame; ``life``, an
    end behind which the next frame is the first of a new episode.
    """

    replay: Replay
    log: list[list[dict]] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    over: list[bool] = field(default_factory=list)

    def write(self, events: tuple[str, ...]) -> None:
        n = self.replay.num_envs
        self.step, self.over = self.step or [0] * n, self.over or [False] * n
        row = [self._moment(env, event) for env, event in enumerate(events)]
        self.log.append(row)
        columns = {name: np.array([entry[name] for entry in row]) for name in row[0]}
        self.replay.add(obs=frames(len(self.log) - 1, n), **columns)

    def _moment(self, env: int, event: str) -> dict:
        step, dead = self.step[env], self.over[env]
        done = not dead and event in ("end", "trunc")
        self.over[env] = done
        self.step[env] = 0 if dead or (event == "life") else step + 1
        if dead:
            return {**GO, "dead": True, "step": step}
        k = len(self.log)
        ends = event in ("end", "life")
        return {**GO, "act": 1 + k % 3, "rew": k % 3 - 1, "end": ends, "trunc": event == "trunc", "step": step}

    def cut(self) -> None:
        self.replay.cut()
        for entry in self.log[-1] if self.log else ():
            entry["dead"] = True
        self.step, self.over = [], []

    def segment(self, row: int, env: int, length: int) -> list[tuple[int, bool]]:
        """Which row stands at each place, and whether it belongs to the anchor's episode."""

        def at(i: int) -> dict:
            return self.log[i][env]

        before = [row]
        while len(before) < CONTEXT and at(before[0])["step"] > 0:
            before.insert(0, before[0] - 1)
        padding = CONTEXT - len(before)
        places = [(before[0], False)] * padding + [(i, True) for i in before]
        while len(places) < length:
            last, real = places[-1]
            goes_on = real and last + 1 < len(self.log) and not at(last)["dead"]
            over = last > row and real and (at(last - 1)["end"] or at(last - 1)["trunc"])
            places.append((last + 1, goes_on and not over))
        return places[:length]


def frames(row: int, n: int) -> np.ndarray:
    obs = np.zeros((n, *FRAME), np.uint8)
    obs[:, 0, 0, 0], obs[:, 0, 0, 1], obs[:, 63, 63, 2] = row % 256, row // 256, np.arange(n)
    return obs


def identify(obs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Rows and envs (b t) of frames."""
    corner = obs[..., 0, 0, :].numpy().astype(int)
    return corner[..., 0] + 256 * corner[..., 1], obs[..., 63, 63, 2].numpy().astype(int)


def build(num_envs: int = 2, capacity: int = CAPACITY, folder=None, **more) -> Replay:
    return Replay(folder, num_envs, capacity, **more)


def steady(rows: int, replay: Replay, every: int = 4) -> Stream:
    """``rows`` rows of episodes that take turns in how they end."""
    stream = Stream(replay)
    for k in range(rows):
        how = ("end", "trunc", "life")[k // every % 3]
        stream.write(tuple(how if k % every == every - 1 - env else "go" for env in range(replay.num_envs)))
    return stream


events = st.sampled_from(["go", "go", "go", "end", "trunc", "life"])
streams = st.lists(st.tuples(events, events, st.integers(0, 9).map(lambda i: i == 0)), min_size=2, max_size=40)


@settings(deadline=None, max_examples=60)
@given(streams, st.sampled_from([4, 5, 6, 9]), st.integers(0, 99))
def test_a_segment_is_one_episode_whatever_was_written(rows, length: int, seed: int) -> None:
    stream = Stream(build())
    for *per_env, cut in rows:
        stream.write(tuple(per_env))
        if cut:
            stream.cut()
    try:
        segment = stream.replay.sample(30, length, np.random.default_rng(seed))
    except ValueError:
        newest = len(rows) - (length > CONTEXT)
        candidates = stream.log[max(0, len(rows) - CAPACITY // 2) : newest]
        assert all(entry["dead"] for row in candidates for entry in row)
        return
    for i in range(30):
        check(stream, segment[i : i + 1], length)


def check(stream: Stream, one, length: int) -> None:
    rows, envs = (x[0] for x in identify(one.obs))
    anchor, env = int(rows[CONTEXT - 1]), int(envs[CONTEXT - 1])
    places = stream.segment(anchor, env, length)
    mask = one.mask[0].tolist()
    assert mask == [real for _, real in places]
    first = mask.index(True)
    for t, (row, real) in enumerate(places):
        if real or t < first:  # behind the episode's end: anything
            assert (rows[t], envs[t]) == (row, env)
        if real:
            entry = stream.log[row][env]
            assert (one.act[0, t], one.rew[0, t]) == (entry["act"], entry["rew"])
            assert (one.end[0, t], one.trunc[0, t]) == (entry["end"], entry["trunc"])
        elif t < first:
            assert one.act[0, t] == 0
    assert not stream.log[anchor][env]["dead"]
    assert len(stream.log) - CAPACITY // 2 <= anchor < len(stream.log) - (length > CONTEXT)


def anchors(replay: Replay, n: int, length: int, seed: int = 0, first_row: int | None = None) -> set[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    sample = replay.sample if first_row is None else partial(replay.sample_since, first_row)
    segment = sample(n, length, rng)
    rows, envs = identify(segment.obs[:, CONTEXT - 1])
    return set(zip(rows.tolist(), envs.tolist(), strict=True))


@pytest.mark.parametrize(("length", "newest"), [(4, 30), (5, 29)])
def test_every_real_transition_within_capacity_and_nothing_else_is_an_anchor(length: int, newest: int) -> None:
    """Terminal, truncated and life-losing ones included; the newest row has no next frame yet."""
    stream = steady(30, build())
    expected = {(row, env) for row in range(30 - 12, newest) for env in range(2) if not stream.log[row][env]["dead"]}
    flags = {name for row, env in expected for name in ("end", "trunc") if stream.log[row][env][name]}
    assert flags == {"end", "trunc"}
    assert anchors(stream.replay, 600, length) == expected


def test_a_terminal_transition_shows_its_last_frame() -> None:
    stream = Stream(build(1))
    for event in ("go", "go", "end", "dead", "go", "go"):
        stream.write((event,))
    segment = stream.replay.window(np.array([2]), np.array([0]), 7)
    assert segment.mask[0].tolist() == [False, True, True, True, True, False, False]
    assert identify(segment.obs)[0][0, :5].tolist() == [0, 0, 1, 2, 3]
    assert segment.end[0, :4].tolist() == [False, False, False, True]


def test_the_frame_behind_a_lost_life_closes_one_episode_and_opens_the_next() -> None:
    stream = Stream(build(1))
    for event in ("go", "life", "go", "go", "go"):
        stream.write((event,))
    before, behind = (stream.replay.window(np.array([row]), np.array([0]), 6) for row in (1, 2))
    assert identify(before.obs)[0][0, :5].tolist() == [0, 0, 0, 1, 2]
    assert before.mask[0].tolist() == [False, False, True, True, True, False]
    assert identify(behind.obs)[0][0].tolist() == [2, 2, 2, 2, 3, 4]
    assert behind.mask[0].tolist() == [False, False, False, True, True, True]


def test_behind_a_cut_nothing_follows() -> None:
    stream = Stream(build(1))
    for event in ("go", "go", "cut", "go", "go", "go"):
        stream.cut() if event == "cut" else stream.write((event,))
    assert anchors(stream.replay, 100, 6) == {(0, 0), (2, 0), (3, 0)}
    before = stream.replay.window(np.array([0]), np.array([0]), 6)
    assert before.mask[0].tolist() == [False, False, False, True, True, False]


def test_since_a_row_no_older_anchor_is_taken_but_its_past_is_shown() -> None:
    stream = steady(10, build(2, 100), every=50)
    assert anchors(stream.replay, 300, 4, first_row=7) == {(row, env) for row in (7, 8, 9) for env in range(2)}
    segment = stream.replay.sample_since(7, 1, 4, np.random.default_rng(0))
    assert segment.mask.all()


def test_since_a_row_long_overwritten_is_since_the_oldest_that_is_left() -> None:
    stream = steady(30, build())
    assert min(row for row, _ in anchors(stream.replay, 300, 4, first_row=0)) == 30 - 12
    rng = np.random.default_rng(0)
    for _ in range(300):
        check(stream, stream.replay.sample_since(0, 1, 6, rng), 6)


def test_the_steps_since_a_row_are_counted_once_each_and_last_frames_are_none() -> None:
    """Env 0 ends an episode in row 5 and stands on its last frame in row 6."""
    replay = build(2)
    for row in range(12):
        replay.add(
            obs=frames(row, 2),
            act=np.zeros(2, np.int64),
            rew=np.array([row == 5, -1]),
            end=np.array([row == 5, False]),
            trunc=np.zeros(2, bool),
            dead=np.array([row == 6, False]),
            step=np.full(2, row),
        )
    rew, end = replay.steps_since(4)
    assert (len(rew), rew.sum(), end.sum()) == (15, -7, 1)
    assert all(len(each) == 0 for each in replay.steps_since(12))


def test_recent_quarters_are_favoured_as_told() -> None:
    replay = build(1, 400, recency=(0.1, 0.1, 0.1, 0.7), context=1)
    stream = Stream(replay)
    for _ in range(500):  # rows 100 to 499 are left
        stream.write(("go",))
    rng = np.random.default_rng(0)
    rows = np.concatenate([identify(replay.sample(400, 1, rng).obs)[0][:, 0] for _ in range(10)])
    counts = np.histogram(rows, bins=[100, 200, 300, 400, 500])[0]
    assert counts.sum() == 4_000
    assert chisquare(counts, 4_000 * np.array([0.1, 0.1, 0.1, 0.7])).pvalue > 1e-3
    newest = np.histogram(rows, bins=np.arange(400, 501, 10))[0]
    assert chisquare(newest).pvalue > 1e-3  # alike within a quarter


def test_a_sample_is_a_function_of_the_generator() -> None:
    replay = steady(30, build()).replay
    one, again, other = (replay.sample(50, 6, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(getattr(one, name), getattr(again, name)) for name in vars(one))
    assert not torch.equal(one.obs, other.obs)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_little_to_sample_from_says_so(rows: int) -> None:
    replay = steady(rows, build()).replay
    with pytest.raises(ValueError, match="collect more"):
        replay.sample(2, 6, np.random.default_rng(0))


def test_on_disk_it_survives_and_only_the_count_is_needed(tmp_path) -> None:
    stream = steady(30, build(folder=tmp_path / "replay"))
    stream.replay.flush()
    expected = stream.replay.sample(50, 6, np.random.default_rng(0))
    again = build(folder=tmp_path / "replay")
    again.count = 30
    segment = again.sample(50, 6, np.random.default_rng(0))
    assert all(torch.equal(getattr(segment, name), getattr(expected, name)) for name in vars(segment))
    in_memory = steady(30, build()).replay.sample(50, 6, np.random.default_rng(0))
    assert all(torch.equal(getattr(segment, name), getattr(in_memory, name)) for name in vars(segment))


def test_what_was_written_behind_a_checkpoint_harms_nothing_before_it_within_the_slack(tmp_path) -> None:
    stream = steady(30, build(folder=tmp_path, slack=10))
    expected = stream.replay.sample(50, 4, np.random.default_rng(0))
    for _ in range(5):
        stream.write(("go", "go"))  # 10 frames more; then the run is killed
    again = build(folder=tmp_path, slack=10)
    again.count = 30
    segment = again.sample(50, 4, np.random.default_rng(0))
    assert all(torch.equal(getattr(segment, name), getattr(expected, name)) for name in vars(segment))


def test_100k_frames_stay_under_their_size(tmp_path) -> None:
    config = ATARI100K
    replay = Replay(None, 1, config.replay.capacity, slack=config.schedule.first_epoch.env_steps)  # zeros cost nothing
    assert replay.capacity == 100_000
    assert 1.22e9 < sum(column.nbytes for column in replay.columns.values()) < 1.4e9
    small = build(folder=tmp_path)
    on_disk = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert on_disk == sum(column.nbytes for column in small.columns.values())


FULL_DISK = """
import errno, resource, sys
from pathlib import Path
from jedi_sdk.replay import Replay
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    Replay(Path(sys.argv[1]), 1, 1_000)
except OSError as error:
    print(error)
"""


def test_a_disk_without_room_is_noticed_at_once_and_the_message_says_how_much_it_takes(tmp_path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "no room for the replay" in done.stdout
    assert "obs.bin needs 12 MB" in done.stdout
    assert not (tmp_path / "obs.bin").exists()  # on ext4 it would keep all that was left
