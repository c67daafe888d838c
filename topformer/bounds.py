"""The bounds of numbers and the form of names that files and options share: each stated here and nowhere else."""

from topformer.kinds import Integer, Number, Odd, Text

SEED = Integer(0, 2**32 - 1, f"an integer from 0 to {2**32 - 1}")
"""The seeds that every library takes: numpy refuses larger ones."""
COUNT = Integer(1, 10**9)
"""Of designs, iterations, epochs or images."""
NATURAL = Integer(0, 10**9)
WORKERS = Integer(1, 1024)
"""Processes that train beside each other; the largest machines have a few hundred cores."""
LOADERS = Integer(0, 1024)
"""Processes that load data; none does it in the training's own."""
SIDE = Integer(32, 16_384, "an integer of at least 32 pixels")
"""Pixels along one side of a network's input: below 32 the coarsest token map would see less than one whole cell."""
CLASSES = Integer(1, 65_536)
BATCH = Integer(1, 1024)
"""Images in one input of a deployed network."""
OPSETS = Integer(11, 23, "an integer from 11 to 23")
"""Sets of ONNX operations that exported files were tried with."""
CHANNELS = Integer(1, 65_536)
"""Of a layer; also heads, and widths of a head."""
KERNEL = Odd(255)
NOT_NEGATIVE = Number("a finite number of at least 0", least=0)
POSITIVE = Number("a finite number above 0", least=5e-324)

NAME = Text(
    r"[^\W_][\w .+-]{0,99}(?<![ .])",
    "at most 100 letters, digits, spaces and . + - _ that begin with a letter or digit",
)
"""Of a study or a run: it becomes the name of a folder and stands in tables."""
LABEL = Text(
    r"[a-z0-9][a-z0-9_.-]{0,99}",
    "a name of lower-case letters, digits, dots, hyphens and underscores",
)
"""Of a device or an ablation table: it is typed in commands, too."""
