"""Films as H.264 in mp4, which every browser plays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_video(path: Path, pictures: Sequence[np.ndarray], frames_per_second: int) -> None:
    """Writes RGB uint8 pictures (H, W, 3); small ones are enlarged to some 320 pixels, without smoothing."""
    import av

    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    factor = 2 * max(1, round(160 / max(height, width)))  # even: H.264 halves the colour planes
    aside = path.with_name(f".{path.name}")
    with av.open(str(aside), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frames_per_second)
        stream.width, stream.height, stream.pix_fmt = factor * width, factor * height, "yuv420p"
        for picture in pictures:
            large = picture.repeat(factor, 0).repeat(factor, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        container.mux(stream.encode())
    aside.replace(path)
