"""Frames: every game is seen as 64x64 RGB, uint8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 64


def to_frame(image: NDArray, white: float = 255.0) -> NDArray[np.uint8]:
    """An image (H W), (H W 1) or (H W 3) with values from 0 to ``white`` as a new frame (64 64 3), uint8.

    Resized by averaging over areas, as the Atari literature does; grey is repeated into red, green and blue.
    """
    import cv2  # here, because importing the package should not cost OpenCV

    if image.dtype != np.uint8 or white != 255.0:
        image = np.rint(np.clip(image / white, 0.0, 1.0) * 255.0).astype(np.uint8)
    resized = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.array(np.broadcast_to(resized.reshape(SIZE, SIZE, -1), (SIZE, SIZE, 3)), np.uint8)


def enlarge(frame: NDArray[np.uint8], times: int = 4) -> NDArray[np.uint8]:
    """A frame (… H W 3) with every pixel repeated ``times`` in both directions, for people to look at."""
    return frame.repeat(times, axis=-3).repeat(times, axis=-2)
