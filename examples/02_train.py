"""Trains an agent on catch, then plays, films and measures it in the real game.

python examples/02_train.py                                          # minutes, learns to catch
python examples/02_train.py --preset tiny --run-dir runs/tiny        # seconds, learns nothing
"""

from pathlib import Path

import typer

from jedi_sdk import JEDI


def main(preset: str = "catch", run_dir: Path = Path("runs/first"), env_steps: int | None = None) -> None:
    agent = JEDI("catch", preset=preset, seed=0)
    agent.learn(env_steps=env_steps, run_dir=run_dir)

    result = agent.evaluate(episodes=100, deterministic=True, video=run_dir / "agent.mp4")
    print(f"mean return of {result.episodes} real games: {result.mean:.2f} ± {result.stderr:.2f}")
    print(f"how it went:       {run_dir / 'learning_curve.png'}")
    print(f"what it looks like: {run_dir / 'agent.mp4'}")


if __name__ == "__main__":
    typer.run(main)
