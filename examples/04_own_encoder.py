"""Replaces the encoder: a latent of 8x4x4 numbers instead of the preset's.

python examples/04_own_encoder.py --preset tiny --run-dir runs/own-encoder
"""

from pathlib import Path

import typer
from torch import Tensor, nn

from jedi_sdk import JEDI, CheckpointError


class Patches(nn.Module):
    latent_shape = (8, 4, 4)  # channels, height, width of what forward() returns

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 32, kernel_size=16, stride=16)
        self.mix = nn.Conv2d(32, 8, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 64, 64) from -1 to 1 -> (n, 8, 4, 4), of any scale."""
        return self.mix(nn.functional.silu(self.look(x)))


def main(preset: str = "catch", run_dir: Path = Path("runs/own-encoder"), env_steps: int | None = None) -> None:
    agent = JEDI("catch", preset=preset, encoder=Patches())
    agent.learn(env_steps=env_steps, run_dir=run_dir)
    saved = agent.save_pretrained(run_dir / "agent")

    try:
        JEDI.from_pretrained(saved)
    except CheckpointError as error:  # code is not stored in a checkpoint, so it has to be passed again
        print(error)
    print("loaded:", JEDI.from_pretrained(saved, encoder=Patches()).world_model.latent_shape)


if __name__ == "__main__":
    typer.run(main)
