"""``run.compile``: torch.compile for the networks that updates and dreams spend their time in.

A network is compiled anew for each shape and use (with gradient or without) when that first comes, and torch keeps what
came of it on disk for the next process. Beyond ``KINDS`` of them a network runs as it is, so that the wait has an end;
so does one that the compiler fails on, with a warning of torch's.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from jedi_sdk.learner import Learner

KINDS = 16  # of shape and use; an encoder meets ten in a run


def compile_networks(learner: Learner, strict: bool = False) -> None:
    """Those that dream and, behind averages, those that are moved. Copies of them are not compiled.

    ``strict``: torch's settings stay as they are, so that what fails raises: a benchmark must not time something else.
    """
    if not strict:
        torch._dynamo.config.suppress_errors = True
        torch._dynamo.config.recompile_limit = max(KINDS, torch._dynamo.config.recompile_limit)
    for network in _busiest(learner):
        network.compile(dynamic=False)


def compiler_fault(device: torch.device) -> str | None:
    """Why nothing can be compiled for ``device``, in a line; None where a sum can be. Takes seconds."""
    one = torch.ones(1, device=device)
    try:
        torch.compile(torch.add)(one, one)
    except (RuntimeError, OSError) as error:  # no compiler, one that fails, or nowhere to write
        return str(error).strip().splitlines()[0]
    return None


def _busiest(learner: Learner) -> Iterator[nn.Module]:
    world_model = learner.world_model
    yield world_model.encoder
    for one in {world_model, *learner.taught.values()}:
        yield getattr(one.denoiser, "unet", one.denoiser)  # one of your own is compiled whole
        yield one.heads
