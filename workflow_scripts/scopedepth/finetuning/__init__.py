"""Fine-tuning: a model of the configuration learns from sequences with depth, and becomes another model.

finetune    the whole way: a base's weights and stores of frames to weights in the base's own format
data        which frames are learnt from and which are held out; batches, and what is changed in them
losses      what is asked of each kind of output
learners    which parts of a network learn: adapters (LoRA), neck, head, or all
loop        the steps; what is random follows from the seed and the step alone
state       what an interrupted training goes on from
formats     a family's names of parts, and its checkpoints, one file a family
"""

from __future__ import annotations
