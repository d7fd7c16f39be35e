#!/usr/bin/env python3
"""Puts the weights of successive checkpoints into TFLite models.

usage: as_tflite.py FORMAT IN_DIR OUT_DIR
FORMAT is f32, or i8: weights of more than one dimension as int8 with a scale of each row. With `+` behind it (f32+, i8+) the
description in front of the weights is 48 bytes longer in each version, as a date, a step or a tensor more makes it. IN_DIR
holds safetensors files of bf16, fp16 or fp32 weights; what an optimizer keeps is left out. Each becomes a file of the
same name that ends in .tflite, with the tables of the model in front, then the buffers, each 16-byte aligned behind its own
table. There are tensors and buffers and no operators, so nothing can run it. Standard library only.
"""
import math
import struct
import sys
from pathlib import Path

from quantise import read_safetensors

FLOAT32, INT8 = 0, 9  # of tflite::TensorType


class Builder:
    """A FlatBuffer from front to back: whatever a field points to is put behind it, later."""

    def __init__(self):
        self.out = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def align(self, to, behind=0):
        self.out += bytes(-(len(self.out) + behind) % to)

    def here(self, at):
        """What is put next is what the offset at `at` points to."""
        struct.pack_into("<I", self.out, at, len(self.out) - at)

    def table(self, fields, pointed_by):
        """`fields`: (number, format, value), or (number, "I", None) for an offset; where each lies."""
        places, inline, at = {}, bytearray(4), 4
        for number, form, value in sorted(fields, key=lambda field: -struct.calcsize(field[1])):
            size = struct.calcsize(form)
            at += -at % size
            inline += bytes(at - len(inline)) + struct.pack("<" + form, value or 0)
            places[number] = at
            at += size
        slots = max(places, default=-1) + 1
        self.align(2)
        vtable = len(self.out)
        self.out += struct.pack(f"<HH{slots}H", 4 + 2 * slots, len(inline), *(places.get(i, 0) for i in range(slots)))
        self.align(4)
        self.here(pointed_by)
        begin = len(self.out)
        struct.pack_into("<i", inline, 0, begin - vtable)
        self.out += inline
        return {number: begin + place for number, place in places.items()}

    def vector(self, form, values, pointed_by, alignment=4):
        self.align(alignment, behind=4)
        self.here(pointed_by)
        self.out += struct.pack(f"<I{len(values)}{form}", len(values), *values)

    def offsets(self, count, pointed_by):
        self.vector("I", [0] * count, pointed_by)
        return range(len(self.out) - 4 * count, len(self.out), 4)

    def text(self, value, pointed_by):
        self.vector("B", value, pointed_by)
        self.out += b"\0"


def int8_rows(shape, weights):
    width, quants, scales = math.prod(shape[1:]), [], []
    for at in range(0, len(weights), width):
        row = weights[at:at + width]
        scale = max(map(abs, row)) / 127 or 1.0
        scales.append(scale)
        quants += (round(x / scale) for x in row)
    return struct.pack(f"<{len(quants)}b", *quants), scales


def as_tflite(form, growth, source, target):
    tensors = []
    for name, shape, weights in read_safetensors(source):
        flat, scales = struct.pack(f"<{len(weights)}f", *weights), None
        if form == "i8" and len(shape) > 1:
            flat, scales = int8_rows(shape, weights)
        tensors.append((name.encode(), shape, flat, scales))
    to = Builder()
    model = to.table([(0, "I", 3), (2, "I", None), (3, "I", None), (4, "I", None)], 0)
    to.text(b"converted" + b" again" * (8 * growth), model[3])
    [subgraph_at] = to.offsets(1, model[2])
    subgraph = to.table([(0, "I", None)], subgraph_at)
    for number, (at, (name, shape, _, scales)) in enumerate(zip(to.offsets(len(tensors), subgraph[0]), tensors), 1):
        fields = [(0, "I", None), (1, "b", INT8 if scales else FLOAT32), (2, "I", number), (3, "I", None)]
        tensor = to.table(fields + ([(4, "I", None)] if scales else []), at)
        to.vector("i", shape, tensor[0])
        to.text(name, tensor[3])
        if scales:
            quantization = to.table([(2, "I", None), (3, "I", None)], tensor[4])
            to.vector("f", scales, quantization[2])
            to.vector("q", [0] * len(scales), quantization[3], alignment=8)
    buffers = to.offsets(len(tensors) + 1, model[4])
    to.table([], buffers[0])  # the first is empty, by its rule
    for at, (_, _, flat, _) in zip(buffers[1:], tensors):
        data = to.table([(0, "I", None)], at)[0]
        to.align(16, behind=4)
        to.here(data)
        to.out += struct.pack("<I", len(flat)) + flat
    target.write_bytes(to.out)


def main():
    form = sys.argv[1] if len(sys.argv) == 4 else ""
    if form not in ("f32", "f32+", "i8", "i8+"):
        sys.exit(__doc__)
    source, target = Path(sys.argv[2]), Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    for count, path in enumerate(sorted(source.glob("*.safetensors"))):
        as_tflite(form.rstrip("+"), count if form.endswith("+") else 0, path, target / (path.stem + ".tflite"))


main()
