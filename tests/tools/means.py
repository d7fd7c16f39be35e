#!/usr/bin/env python3
"""Turns successive checkpoints into means over time, as trainers keep beside the weights (EMA).

usage: means.py IN_DIR OUT_DIR [DECAY]
IN_DIR holds safetensors files of F32 weights, in name order. Each file becomes one of the same name in OUT_DIR: the first
as it is, each other one DECAY (0.5) of the means before it and the rest of its own weights, as float32 keeps them. Tensors
of other types stay as they are. Standard library only.
"""
import array
import json
import struct
import sys
from pathlib import Path


def main(source, target, decay=0.5):
    target.mkdir(parents=True, exist_ok=True)
    means = {}
    for path in sorted(source.glob("*.safetensors")):
        data = bytearray(path.read_bytes())
        length = struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8:8 + length])
        header.pop("__metadata__", None)
        for name, about in header.items():
            if about["dtype"] != "F32":
                continue
            begin, end = (8 + length + offset for offset in about["data_offsets"])
            weights = array.array("f", bytes(data[begin:end]))
            if name in means:
                weights = array.array("f", (decay * m + (1 - decay) * w for m, w in zip(means[name], weights)))
            means[name] = weights
            data[begin:end] = weights.tobytes()
        (target / path.name).write_bytes(data)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(float, sys.argv[3:]))
