"""Films as H.264 in mp4, which every browser plays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

LARGE = 600  # pixels a side: wide enough to look at


def write_video(path: Path, pictures: Iterable[np.ndarray], frames_per_second: int) -> None:
    """Writes RGB uint8 pictures (H, W, 3), all of a size and at least one, each as it comes. Large ones stay as they
    are, but for the last row and column of odd sides; others are doubled, small ones enlarged to some 320 pixels,
    without smoothing.
    """
    import av

    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    try:
        with av.open(str(aside), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=frames_per_second)
            for t, picture in enumerate(pictures):
                large = _enlarged(picture)
                if t == 0:
                    (stream.height, stream.width), stream.pix_fmt = large.shape[:2], "yuv420p"
                container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
            container.mux(stream.encode())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)  # of a game that failed in the middle


def _enlarged(picture: np.ndarray) -> np.ndarray:
    side = max(picture.shape[:2])
    factor = 1 if side >= LARGE else 2 * max(1, round(160 / side))
    height, width = (factor * n // 2 * 2 for n in picture.shape[:2])  # even: H.264 halves the colour planes
    return np.ascontiguousarray(picture.repeat(factor, 0).repeat(factor, 1)[:height, :width])
