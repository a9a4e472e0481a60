"""Training of one of the demonstration's networks."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from demo_networks.frames import SHOTS, UNIT
from demo_networks.losses import loss
from demo_networks.networks import Network
from scopedepth.finetuning.losses import inner

BATCH = 8
HELD_BACK = 12 * SHOTS  # the last organs' pictures, to watch training by; never the demonstration's


def train(network: Network, rgb: NDArray[np.uint8], depth: NDArray[np.uint16], steps: int, seed: int) -> None:
    """Train in place, on one thread, and leave the module in evaluation mode.

    Args:
        network: to be trained.
        rgb, depth: training pictures, as `frames.training_frames` gives them.
        steps: batches of BATCH pictures.
        seed: of the order and the augmentation.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    module = network.module.train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=network.learning_rate, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, network.learning_rate, total_steps=steps, pct_start=0.08
    )
    began, recent = time.monotonic(), 0.0
    order = np.empty(0, np.int64)
    for step in range(1, steps + 1):
        if len(order) < BATCH:
            order = random.permutation(len(rgb) - HELD_BACK)
        chosen, order = order[:BATCH], order[BATCH:]
        pictures, target = augmented(random, rgb[chosen], depth[chosen])
        value = _batch_loss(network, pictures, target)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        rate.step()
        recent += (value.item() - recent) / min(step, 50)
        if step % 100 == 0 or step == steps:
            held_back = _held_back_loss(network, rgb[-HELD_BACK:], depth[-HELD_BACK:])
            print(
                f"{network.name}: step {step}/{steps}, loss {recent:.4f}, held back {held_back:.4f}, "
                f"{time.monotonic() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    module.eval()


def augmented(
    random: np.random.Generator, rgb: NDArray[np.uint8], depth: NDArray[np.uint16]
) -> tuple[Tensor, Tensor]:
    """Pictures (n, 3, h, w) in [0, 1] and depth (n, h, w) in mm, both flipped, turned and, the pictures, recoloured."""
    pictures = torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255
    target = torch.from_numpy(depth.astype(np.float32)) * UNIT
    for k in range(len(pictures)):
        turns, mirror = int(random.integers(4)), bool(random.integers(2))
        picture, map_ = torch.rot90(pictures[k], turns, (1, 2)), torch.rot90(target[k], turns, (0, 1))
        pictures[k], target[k] = (picture.flip(2), map_.flip(1)) if mirror else (picture, map_)
    gamma = torch.tensor(random.uniform(0.8, 1.25, (len(rgb), 1, 1, 1)), dtype=torch.float32)
    gain = torch.tensor(random.uniform(0.88, 1.12, (len(rgb), 3, 1, 1)), dtype=torch.float32)
    return (gain * pictures**gamma).clamp(0, 1), target


def resized(pictures: Tensor, side: int) -> Tensor:
    """Pictures at a network's input size, by the cubic with antialiasing that image processors use."""
    size = (side, side)
    return nn.functional.interpolate(
        pictures, size, mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 1)


def _batch_loss(network: Network, pictures: Tensor, depth: Tensor) -> Tensor:
    output = network.predict(network.normalise(resized(pictures, network.side)))
    valid = inner(depth)
    size = output.shape[1:]
    depth, valid = (
        nn.functional.interpolate(x[:, None], size, mode="nearest-exact")[:, 0] for x in (depth, valid)
    )
    return loss(network.kind, output, depth, valid)


@torch.no_grad()
def _held_back_loss(network: Network, rgb: NDArray[np.uint8], depth: NDArray[np.uint16]) -> float:
    network.module.eval()
    values = []
    for k in range(0, len(rgb), 12):
        pictures = torch.from_numpy(rgb[k : k + 12]).permute(0, 3, 1, 2).float() / 255
        values.append(
            _batch_loss(
                network, pictures, torch.from_numpy(depth[k : k + 12].astype(np.float32)) * UNIT
            ).item()
        )
    network.module.train()
    return float(np.mean(values))
