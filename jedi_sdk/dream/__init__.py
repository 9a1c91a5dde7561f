"""Dreams: rollouts of a policy inside the world model."""

from jedi_sdk.dream.imagine import imagine

__all__ = ["imagine"]
