"""Policies that Stable-Baselines3 or Tianshou trained in a dream, as folders that travel like agents.

``policy.json`` says what to build, from a closed set of words and numbers; ``policy.safetensors`` holds the weights;
``agent/`` the agent whose latents the policy reads, where it is not named instead. Nothing is unpickled or imported
by a name from a file. Each library is imported by its own module alone.
"""

from .load import LatentPolicy, load_policy
from .save import save_policy

__all__ = ["LatentPolicy", "load_policy", "save_policy"]
