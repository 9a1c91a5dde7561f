"""The replay: a ring of uint8 frames on disk, shared with nobody, read in place through a memory map.

One row a moment, one column an env: ``obs[row, env]`` is followed by ``act[row, env]``, which earns ``rew`` and may
end the episode. The frame behind an action is the next row's, so every frame lies here once (12,288 bytes).
Rows are numbered from the first ever written; a checkpoint only needs their count, because rows behind it are
overwritten and rows before it stay: the ring is longer than its capacity by ``slack``.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np
import torch

from jedi_sdk.types import Segment

FRAME = (64, 64, 3)
COLUMNS: dict[str, np.dtype] = {
    "obs": np.dtype((np.uint8, FRAME)),
    "act": np.dtype(np.int16),
    "rew": np.dtype(np.int8),  # the sign
    "end": np.dtype(np.bool_),
    "trunc": np.dtype(np.bool_),
    "dead": np.dtype(np.bool_),  # a last frame: no action followed it
    "step": np.dtype(np.int32),  # the frame's place in its episode, from 0
}


class ReplayError(RuntimeError):
    """A replay that is not what a run has collected: says what to do instead."""


class Replay:
    """Room for ``capacity`` frames of ``num_envs`` envs; in ``folder``, or in memory when that is None.

    Raises OSError (with the size needed) where the disk has no room: all of it is reserved at once, so that a
    full disk is noticed now and not in the middle of a run. With ``written`` there must be a replay in ``folder``
    already, of just this size; raises ``ReplayError`` where there is none, and makes none: it would be black frames.
    """

    def __init__(
        self,
        folder: Path | None,
        num_envs: int,
        capacity: int,
        slack: int = 0,
        recency: tuple[float, ...] = (1.0,),
        context: int = 4,
        written: bool = False,
    ) -> None:
        self.num_envs, self.context, self.recency = num_envs, context, np.array(recency) / sum(recency)
        self.capacity = -(-capacity // num_envs)
        self.rows = self.capacity + -(-slack // num_envs) + context
        self.count = 0
        shapes = {name: (self.rows, num_envs, *dtype.shape) for name, dtype in COLUMNS.items()}
        if folder is None:
            self.columns = {name: np.zeros(shapes[name], COLUMNS[name].base) for name in COLUMNS}
        else:
            if written:
                _refuse_incomplete(folder, shapes)
            folder.mkdir(parents=True, exist_ok=True)
            self.columns = {name: _map(folder / f"{name}.bin", shapes[name], COLUMNS[name].base) for name in COLUMNS}

    def __len__(self) -> int:
        """Rows that can be sampled."""
        return min(self.count, self.capacity)

    # -- writing ------------------------------------------------------------------------------------------------

    def add(self, **row: np.ndarray) -> None:
        """Writes one row: ``obs act rew end trunc dead step``, each of ``num_envs`` entries."""
        for name, column in self.columns.items():
            column[self.count % self.rows] = row[name]
        self.count += 1

    def cut(self) -> None:
        """Nothing follows the last row (the envs were started anew): no segment may cross it."""
        if self.count:
            self.columns["dead"][(self.count - 1) % self.rows] = True

    def flush(self) -> None:
        for column in self.columns.values():
            if isinstance(column, np.memmap):
                column.flush()

    # -- reading ------------------------------------------------------------------------------------------------

    def sample(self, batch_size: int, length: int, rng: np.random.Generator) -> Segment:
        """``batch_size`` segments of ``length`` frames, anchored at random on the last frame of their context.

        ``length`` = context asks for places to dream from; longer ones have at least one real transition behind the
        anchor. Recent rows are favoured by ``recency``.
        """
        rows, envs = self._anchors(batch_size, length > self.context, self.count - len(self), rng)
        return self.window(rows, envs, length)

    def sample_since(self, first_row: int, batch_size: int, length: int, rng: np.random.Generator) -> Segment:
        """The same, from the rows written since ``first_row`` alone, all alike."""
        oldest = max(first_row, self.count - len(self))
        rows, envs = self._anchors(batch_size, length > self.context, oldest, rng, np.ones(1))
        return self.window(rows, envs, length)

    def steps_since(self, first_row: int) -> tuple[np.ndarray, np.ndarray]:
        """``rew`` and ``end`` of every real step in the rows written since ``first_row``, each step once."""
        row = np.arange(max(first_row, self.count - len(self)), self.count)[:, None]
        env = np.arange(self.num_envs)
        alive = ~self._read("dead", row, env)
        return self._read("rew", row, env)[alive], self._read("end", row, env)[alive]

    def _anchors(
        self, n: int, followed: bool, oldest: int, rng: np.random.Generator, recency: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rejection sampling: almost every row will do."""
        recency = self.recency if recency is None else recency
        newest = self.count - followed
        rows, envs = np.empty(0, np.int64), np.empty(0, np.int64)
        for _ in range(1_000 if newest > oldest else 0):
            part = rng.choice(len(recency), size=n, p=recency)
            place = (part + rng.random(n)) / len(recency)
            row = oldest + (place * (newest - oldest)).astype(np.int64)
            env = rng.integers(self.num_envs, size=n)
            alive = ~self._read("dead", row, env)
            rows, envs = np.concatenate([rows, row[alive]]), np.concatenate([envs, env[alive]])
            if len(rows) >= n:
                return rows[:n], envs[:n]
        raise ValueError(f"no segment to sample in {max(newest - oldest, 0)} rows of the replay: collect more steps")

    def window(self, rows: np.ndarray, envs: np.ndarray, length: int) -> Segment:
        """The segments around given anchors: ``context`` frames up to the anchor, the rest behind it."""
        anchor = self.context - 1
        offset = np.arange(length) - anchor
        env = envs[:, None]
        first = np.maximum(-self._read("step", rows, envs), -anchor)[:, None]  # the episode's first frame
        row = rows[:, None] + np.maximum(offset, first)
        inside = row < self.count
        row = np.minimum(row, self.count - 1)
        real = (offset >= first) & inside & ~self._over(row, env, anchor)
        columns = {name: self._read(name, row, env) for name in ("obs", "act", "rew", "end", "trunc")}
        columns["act"] = columns["act"] * real  # padding acts 0
        return Segment(
            obs=torch.from_numpy(columns["obs"]),
            act=torch.from_numpy(columns["act"].astype(np.int64)),
            rew=torch.from_numpy(columns["rew"].astype(np.float32)),
            end=torch.from_numpy(columns["end"]),
            trunc=torch.from_numpy(columns["trunc"]),
            mask=torch.from_numpy(real),
        )

    def _over(self, row: np.ndarray, env: np.ndarray, anchor: int) -> np.ndarray:
        """Which frames lie behind the anchor's episode. The frame after an end still shows how it ended."""
        dead = self._read("dead", row, env)
        done = self._read("end", row, env) | self._read("trunc", row, env)
        stop = np.zeros_like(dead)
        stop[:, anchor + 1 :] = dead[:, anchor:-1]
        stop[:, anchor + 2 :] |= done[:, anchor:-2]
        return np.logical_or.accumulate(stop, axis=1)

    def _read(self, name: str, row: np.ndarray, env: np.ndarray) -> np.ndarray:
        return np.asarray(self.columns[name][row % self.rows, env])


def _refuse_incomplete(folder: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        path, size = folder / f"{name}.bin", _size(shape, COLUMNS[name].base)
        found = path.stat().st_size if path.exists() else 0
        if found != size:
            raise ReplayError(
                f"{path} has {found:,} bytes, and the replay of this run {size:,}: what was collected is not all "
                f"there. Copy {folder.name}/ from where the run was, or begin a new run from its agent: jedi train "
                f"--init {shlex.quote(str(folder.parent.absolute()))}"
            )


def _size(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape)) * dtype.itemsize


def _map(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    size = _size(shape, dtype)
    reserve = getattr(os, "posix_fallocate", lambda fd, _, size: os.ftruncate(fd, size))  # macOS has none
    there = path.exists()
    with open(path, "r+b" if there else "w+b") as file:
        try:
            reserve(file.fileno(), 0, size)
        except OSError as error:
            if not there:
                path.unlink()  # ext4 has given it all that was left, which others need
            message = f"no room for the replay: {path} needs {size / 1e6:.0f} MB ({error.strerror})"
            raise OSError(error.errno, message) from error
    return np.memmap(path, dtype=dtype, mode="r+", shape=shape)
