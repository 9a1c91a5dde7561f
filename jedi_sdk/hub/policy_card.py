"""The model card of a policy for latents, where nobody has written one: what it is, and how it is loaded."""

from __future__ import annotations

from pathlib import Path

from jedi_sdk import checkpoint

from .card import PAPER, TASK

EXTRAS = {"stable_baselines3": "sb3", "tianshou": "tianshou"}


def policy_card(folder: Path, repo: str) -> str:
    """Its ``README.md``, from its ``policy.json``."""
    from huggingface_hub import ModelCardData

    said = checkpoint.read_json(folder / checkpoint.POLICY)
    tags = ["jedi", "world-model", said["library"], f"arxiv:{PAPER}"]
    data = ModelCardData(license="mit", library_name="jedi-sdk", pipeline_tag=TASK, tags=tags, model_name=repo)
    agent = said["agent"]["name"] if said["agent"] else f"the agent in `{checkpoint.EMBEDDED}/`"
    body = _BODY.format(**said, teller=agent, repo=repo, extra=EXTRAS[said["library"]], paper=PAPER)
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


_BODY = """# A policy that plays from latents

A {kind} policy of `{library}` {library_version}, trained in the dreams of {teller}, an agent of
[JEDI](https://arxiv.org/abs/{paper}) (arXiv {paper}). It reads that agent's latents and needs its encoder to play.

```bash
pip install 'jedi-sdk[{extra}]'
```

```python
from jedi_sdk.policies import load_policy

loaded = load_policy("{repo}")
real = loaded.real_env(num_envs=8)  # the real game, as `loaded.policy` sees it
```

## Licence

MIT.
"""
