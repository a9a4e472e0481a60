"""Render the pictures that the demonstration's networks are trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    from demo_networks.frames import training_frames
    from demo_networks.make import SCENES

    training_frames(Path(snakemake.output.frames), SCENES, snakemake.threads)
