#!/usr/bin/env python3
"""Makes each version of a family a little longer in front of its weights, as another name, date or step in it does.

usage: grow_header.py IN_DIR OUT_DIR
IN_DIR holds ONNX files, or archives of torch.save, in name order. Each becomes one of the same name in OUT_DIR: in front of
the graph of version i stand 7 i bytes of text more, and 40 i more behind its pickle, whose archive is called step-100 i.
Tensors keep their bytes, and torch's lie at multiples of 64, as it puts them. Standard library only.
"""
import struct
import sys
import zipfile
import zlib
from pathlib import Path

GRAPH, DOC_STRING = 7, 10  # of a model, of a graph
ALIGNMENT = 64


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def grown_onnx(data, growth):
    at = 0
    while True:
        tag_at = at
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag == GRAPH << 3 | 2:
            break
        if tag & 7 == 2:
            at += value
    text = varint(DOC_STRING << 3 | 2) + varint(growth) + b"d" * growth
    return data[:tag_at] + varint(tag) + varint(len(text) + value) + text + data[at:]


def grown_torch(path, growth, name):
    out, directory = bytearray(), bytearray()
    with zipfile.ZipFile(path) as archive:
        entries = [(info.filename.split("/", 1)[1], archive.read(info)) for info in archive.infolist()]
    for inner, data in entries:
        if inner == "data.pkl":
            data += bytes(growth)
        spelled = f"{name}/{inner}".encode()
        begin = len(out)
        padding = -(begin + 30 + len(spelled) + 4) % ALIGNMENT
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 0, 0x808, 0, 0, 0, 0, 0, 0, len(spelled), padding + 4)
        out += spelled + b"FB" + struct.pack("<H", padding) + b"Z" * padding + data
        sizes = struct.pack("<3I", zlib.crc32(data), len(data), len(data))
        out += b"PK\7\10" + sizes
        directory += struct.pack("<4s6H", b"PK\1\2", 0, 0, 0x808, 0, 0, 0) + sizes
        directory += struct.pack("<5H2I", len(spelled), 0, 0, 0, 0, 0, begin) + spelled
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(out), 0)
    return bytes(out + directory + end)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(sorted(source.iterdir())):
        if path.suffix == ".onnx":
            (target / path.name).write_bytes(grown_onnx(path.read_bytes(), 7 * i))
        elif path.suffix == ".pt":
            (target / path.name).write_bytes(grown_torch(path, 40 * i, f"step-{100 * i}"))


if __name__ == "__main__":
    main()
