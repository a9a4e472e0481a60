"""Lineage: whose frames a dataset shows, and how near a model's training data come to them.

`footage` follows editions of the same videos to the one place where a video's patient and device are said. `levels`
compares what a model has seen with what it is tested on. Both work on the plain facts that `config.lineage` makes of a
configuration:

    datasets   name -> {
        "sequences": lists of patterns, all of which a sequence's name must fit (none: all sequences)
        "same_as": [{"dataset": name, "names": {own name: name there}, a pattern of own names whose
                     group is the name there, or None: the same names}, ...]
        "patient": a regular expression with one group, {pattern: patient}, or None
        "device": {pattern: device}
        "frames": [start, stop, step] of the sequence's frames, or None: which ones is not known
        "listed": whether a list decides which frames, and so which sequences, take part
        "files": what the frames are counted in: source, loader and its options
        "source": where the files come from}
    models     name -> [{"dataset", "sequences", "held_out"} or {"device"} or {"unknown": True}, ...]
"""

from __future__ import annotations
