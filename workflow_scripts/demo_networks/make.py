"""One network of the demonstration, from its training pictures to its checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

from scopedepth.errors import ScopeDepthError

SCENES = 450
STEPS = {
    "tiny_depth_anything": 1200,
    "tiny_midas": 1200,
    "tiny_zoedepth": 800,
    "tiny_endo_depth": 1200,
    "tiny_endo_sfmlearner": 800,
}


def make(
    name: str, frames: Path, out: Path, *, scenes: int = SCENES, steps: int | None = None, seed: int = 1
) -> None:
    """Train network `name` on one thread and save its checkpoint.

    Args:
        name: one of STEPS.
        frames: folder of the training pictures, rendered there unless they are.
        out: the checkpoint's folder.
        scenes: organs to train on.
        steps: batches; None takes those of STEPS.
        seed: of the start, the order and the augmentation.

    Raises:
        ScopeDepthError: an unknown name, or a network that ended with a flipped sign.
    """
    import torch

    from demo_networks.checkpoints import save
    from demo_networks.frames import training_frames
    from demo_networks.judge import flipped_share
    from demo_networks.networks import BUILDERS
    from demo_networks.train import train

    if name not in BUILDERS:
        raise ScopeDepthError(f"There is no demonstration network {name}; choose from {', '.join(BUILDERS)}.")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rgb, depth = training_frames(frames, scenes, workers=1)
    network = BUILDERS[name]()
    total = steps or STEPS[name]
    train(network, rgb, depth, total, seed)
    flipped = flipped_share(network, rgb[-60:], depth[-60:])
    if flipped > 0.02:
        raise ScopeDepthError(
            f"{name} says the opposite of disparity on {flipped:.0%} of the pictures held back: training went wrong. "
            "Train it with another seed."
        )
    save(network, out, total)
    print(f"{name}: saved in {out}", file=sys.stderr)
