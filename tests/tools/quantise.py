#!/usr/bin/env python3
"""Quantises successive checkpoints to eight or four bits, as tools that publish models do.

usage: quantise.py FORMAT IN_DIR OUT_DIR
FORMAT is u8 (safetensors: uint8 with a scale and a zero of each row) or one of four bits: q4_0 or q4_k (GGUF blocks), gptq
(safetensors: int32 words of eight rows, float16 scales and zeros for each 128 rows), awq (the same by columns, in AWQ's
order) or packed (uint8 bytes of two neighbours, float16 scales for each 32). IN_DIR holds safetensors files of bf16, fp16 or
fp32 weights. Those of more than one dimension are quantised, the others become F32; what an optimizer keeps is left out.
Blocks of four bits: small models have rows that are no whole blocks, as no large one has, so many of those are taken for one
as are. Each file becomes one of the same name in OUT_DIR. Standard library only, so slow: a million weights take some
seconds. Q4_K's scales are the range of 32 weights, without llama.cpp's search for better ones.
"""
import array
import json
import math
import struct
import sys
from pathlib import Path

WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}


def read_safetensors(path):
    """Name, shape and floats of each tensor, in the order of the file."""
    data = path.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = (8 + length + offset for offset in about["data_offsets"])
        raw, dtype = data[begin:end], about["dtype"]
        if dtype not in WIDTHS or name.startswith("optimizer."):
            continue
        if dtype == "BF16":
            raw = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2))
        form = "e" if dtype == "F16" else "f"
        yield name, about["shape"], list(struct.unpack(f"<{(end - begin) // WIDTHS[dtype]}{form}", raw))


def matrix_shape(shape, block):
    """Rows of whole blocks, or None."""
    rows, width = shape[0], math.prod(shape[1:])
    while width % block != 0 and rows % 2 == 0:
        rows, width = rows // 2, width * 2
    return [rows, width] if len(shape) > 1 and width % block == 0 else None


def half(value):
    """`value` as float16 keeps it, and its bytes."""
    packed = struct.pack("<e", value)
    return struct.unpack("<e", packed)[0], packed


def nibble(value):
    return min(15, max(0, int(value)))


def u8(name, shape, weights):
    """A matrix as safetensors keep it: name, dtype, shape and bytes of its numbers, scales and zeros."""
    count, width = shape[0], math.prod(shape[1:])
    scales, zeros, quants = [], bytearray(), bytearray()
    for at in range(0, len(weights), width):
        row = weights[at:at + width]
        low, high = min(0.0, min(row)), max(0.0, max(row))
        scale = (high - low) / 255 or 1.0
        zero = round(-low / scale)
        scales.append(scale)
        zeros.append(zero)
        quants += bytes(min(255, max(0, round(x / scale) + zero)) for x in row)
    return [(name, "U8", shape, bytes(quants)), (name + ".scale", "F32", [count], struct.pack(f"<{count}f", *scales)),
            (name + ".zero", "U8", [count], bytes(zeros))]


def q4_0(weights):
    out = bytearray()
    for at in range(0, len(weights), 32):
        block = weights[at:at + 32]
        extreme = max(block, key=abs)
        scale, packed = half(extreme / -8)
        inverse = 8 / -extreme if extreme else 0.0
        quants = [nibble(x * inverse + 8.5) for x in block]
        out += packed + bytes(quants[i] | quants[i + 16] << 4 for i in range(16))
    return bytes(out)


def q4_k(weights):
    out = bytearray()
    for at in range(0, len(weights), 256):
        parts = [weights[i:i + 32] for i in range(at, at + 256, 32)]
        lows = [max(0.0, -min(part)) for part in parts]
        steps = [(max(part) + low) / 15 for part, low in zip(parts, lows)]
        d, d_packed = half(max(steps) / 63)
        m, m_packed = half(max(lows) / 63)
        scales = [min(63, round(step / d)) if d else 0 for step in steps]
        mins = [min(63, round(low / m)) if m else 0 for low in lows]
        packed = bytearray(12)  # six bits each, the first four plain, the others in what those leave
        for j in range(4):
            packed[j] = scales[j] | (scales[j + 4] >> 4) << 6
            packed[j + 4] = mins[j] | (mins[j + 4] >> 4) << 6
            packed[j + 8] = scales[j + 4] & 15 | (mins[j + 4] & 15) << 4
        quants = []
        for part, scale, low in zip(parts, scales, mins):
            step = d * scale
            quants.append([nibble((x + m * low) / step + 0.5) if step else 0 for x in part])
        out += d_packed + m_packed + packed
        for j in range(0, 8, 2):
            out += bytes(a | b << 4 for a, b in zip(quants[j], quants[j + 1]))
    return bytes(out)


def grouped(rows, group):
    """Nibbles of a matrix given as rows, and scales and zeros of each column's `group` rows."""
    count, width = len(rows), len(rows[0])
    nibbles = [[0] * width for _ in range(count)]
    scales, zeros = [], []
    for first in range(0, count, group):
        some = rows[first:first + group]
        scales.append([])
        zeros.append([])
        for column in range(width):
            values = [row[column] for row in some]
            low, high = min(0.0, min(values)), max(0.0, max(values))
            scale = half((high - low) / 15)[0] or 1.0
            zero = nibble(-low / scale + 0.5)
            scales[-1].append(scale)
            zeros[-1].append(zero)
            for i, value in enumerate(values):
                nibbles[first + i][column] = nibble(value / scale + zero + 0.5)
    return nibbles, scales, zeros


def words(rows, order=range(8)):
    """Eight neighbours of each row to a word, the first of `order` in the lowest bits."""
    out = array.array("I")
    for row in rows:
        for at in range(0, len(row), 8):
            out.append(sum(row[at + k] << 4 * i for i, k in enumerate(order)))
    return out.tobytes()


def halves(rows):
    return b"".join(struct.pack(f"<{len(row)}e", *row) for row in rows)


def transposed(rows):
    return [list(column) for column in zip(*rows)]


def quantised_tensors(form, name, shape, weights):
    """As safetensors keep it: name, dtype, shape and bytes of each tensor that the weights become."""
    count, width = shape
    rows = [weights[i * width:(i + 1) * width] for i in range(count)]
    stem = name.removesuffix(".weight")
    if form == "packed":
        scales, quants = [], bytearray()
        for row in rows:
            scales.append([])
            for at in range(0, width, 32):
                block = row[at:at + 32]
                scale = half(max(map(abs, block)) / 7)[0] or 1.0
                scales[-1].append(scale)
                quant = [nibble(x / scale + 8.5) for x in block]
                quants += bytes(quant[i] | quant[i + 1] << 4 for i in range(0, 32, 2))
        return [(name, "U8", [count, width // 2], bytes(quants)),
                (stem + ".scales", "F16", [count, width // 32], halves(scales))]
    group = 128 if width % 128 == 0 else 32
    nibbles, scales, zeros = grouped(transposed(rows), group)  # both keep weights as inputs by outputs
    if form == "gptq":
        packed = b"".join(words(transposed(nibbles[at:at + 8])) for at in range(0, width, 8))
        shape, order = [width // 8, count], range(8)
    else:
        order = (0, 2, 4, 6, 1, 3, 5, 7)
        packed = words(nibbles, order)
        shape = [width, count // 8]
    groups = width // group
    return [(stem + ".qweight", "I32", shape, packed),
            (stem + ".qzeros", "I32", [groups, count // 8], words(zeros, order)),
            (stem + ".scales", "F16", [groups, count], halves(scales))]


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in tensors))


def write_gguf(path, tensors):
    """`tensors`: name, shape, ggml type, bytes."""
    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1))
    out += string("general.architecture") + struct.pack("<I", 8) + string("gpt2")
    at = 0
    for name, shape, kind, data in tensors:
        out += string(name) + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", size) for size in reversed(shape)) + struct.pack("<IQ", kind, at)
        at += len(data) + -len(data) % 32
    out += bytes(-len(out) % 32)
    for *_, data in tensors:
        out += data + bytes(-len(data) % 32)
    path.write_bytes(out)


def quantise(form, source, target):
    gguf = {"q4_0": (2, q4_0, 32), "q4_k": (12, q4_k, 256)}.get(form)
    tensors = []
    for name, shape, weights in read_safetensors(source):
        flat = struct.pack(f"<{len(weights)}f", *weights)
        if form == "u8" and len(shape) > 1:
            tensors += u8(name, shape, weights)
            continue
        kind, quantiser, block = gguf or (None, None, 32)
        matrix = matrix_shape(shape, block)
        if gguf:
            tensors.append((name, matrix, kind, quantiser(weights)) if matrix else (name, shape, 0, flat))
        elif matrix and matrix[0] % 8 == 0:
            tensors += quantised_tensors(form, name, matrix, weights)
        else:
            tensors.append((name, "F32", shape, flat))
    (write_gguf if gguf else write_safetensors)(target, tensors)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("u8", "q4_0", "q4_k", "gptq", "awq", "packed"):
        sys.exit(__doc__)
    form, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.safetensors")):
        name = path.with_suffix(".gguf").name if form in ("q4_0", "q4_k") else path.name
        quantise(form, path, target / name)


if __name__ == "__main__":
    main()
