#!/usr/bin/env python3
"""Makes every test vector again, from STORAGE.md alone.

This is a second, independent implementation of the canonical forms: Python 3, standard library, nothing of ours.
It reads golden/vectors.json, makes the bytes and ids of each statement, walks the segment golden/000001.seg, and exits 1 when
anything differs.

    check_vectors.py          check
    check_vectors.py --add    fill in `bytes`, `id` and `nodes` of statements that have none yet; never changes one that has
"""
import hashlib
import json
import pathlib
import struct
import sys

GOLDEN = pathlib.Path(__file__).parent / "golden"
FILE = GOLDEN / "vectors.json"
SEGMENT = GOLDEN / "000001.seg"
NODE_BYTES_MAX = 256 * 1024
KINDS = {"piece": 1, "recipe": 2, "tree": 3, "version": 4, "notes": 5, "entry": 6, "seal": 7, "receipt": 8,
         "document": 9, "conflict": 10, "eviction": 11}
TYPES = {"file": 1, "executable": 2, "tree": 3}


# ---- the small parts ----

def u8(value): return struct.pack("<B", value)
def u16(value): return struct.pack("<H", value)
def u32(value): return struct.pack("<I", value)
def u64(value): return struct.pack("<Q", value)
def short_text(data): return u16(len(data)) + data
def long_text(data): return u32(len(data)) + data
def sha256(data): return hashlib.sha256(data).digest()
def sha256_of(purpose, data): return sha256(purpose.encode() + b"\0" + data)


def digest(text):
    """33 bytes from 64 hexadecimal digits, or from nothing for none."""
    return u8(1) + bytes.fromhex(text) if text else bytes(33)


def time(value):
    return u64(value["wall_ms"]) + u32(value["logical"]) + u8(value["quality"])


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# ---- trees ----

def tree_item(level, item):
    kind = u8(item["type"]) if level == 0 else b""
    return kind + short_text(item["name"]) + u8(1) + item["target"] + u64(item["size"])


def tree_node(level, items):
    return u8(1) + u8(level) + u32(len(items)) + b"".join(tree_item(level, i) for i in items)


def ends_node(level, name):
    number = struct.unpack("<I", sha256_of("tributary/1/split", name)[:4])[0]
    return (number >> 10 * min(level, 2)) & 1023 == 0


def split(level, items):
    group, length = [], 6
    for item in items:
        more = len(tree_item(level, item))
        if length + more > NODE_BYTES_MAX:
            yield group
            group, length = [], 6
        group.append(item)
        length += more
        if len(group) >= 2 and ends_node(level, item["name"]):
            yield group
            group, length = [], 6
    if group:
        yield group


def tree(items):
    """All nodes, children before parents, the root last."""
    items = sorted(items, key=lambda item: item["name"])
    nodes, level = [], 0
    while len(tree_node(level, items)) > NODE_BYTES_MAX:
        above = []
        for group in split(level, items):
            nodes.append(tree_node(level, group))
            above.append({"name": group[0]["name"], "target": sha256_of("tributary/1/tree", nodes[-1]),
                          "size": sum(item["size"] for item in group)})
        items, level = above, level + 1
    return nodes + [tree_node(level, items)]


def tree_result(items):
    ids = [sha256_of("tributary/1/tree", node).hex() for node in tree(items)]
    return {"nodes": ids, "id": ids[-1]}


def make_tree(s):
    items = [{"type": TYPES[i["type"]], "name": i["name"].encode(), "target": bytes.fromhex(i["target"]),
              "size": i["size"]} for i in s["items"]]
    return {"bytes": tree(items)[-1].hex()} | tree_result(items)


def make_tree_rule(s):
    """Files prefix + number + suffix; each one's content is its name."""
    names = [f"{s['prefix']}{s['first'] + i}{s['suffix']}".encode() for i in range(s["count"])]
    return tree_result([{"type": 1, "name": n, "target": sha256(n), "size": len(n)} for n in names])


# ---- versions, notes, entries, records, hash trees ----

def make_version(s):
    inputs = sorted({(i["role"].encode(), digest(i["id"]), i["selector"].encode()) for i in s["inputs"]})
    data = u8(1) + digest(s["tree"])
    data += u16(len(s["parents"])) + b"".join(digest(p) for p in s["parents"])
    data += u16(len(inputs)) + b"".join(i + short_text(r) + short_text(sel) for r, i, sel in inputs)
    data += bytes.fromhex(s["incarnation"]) + short_text(s["author"].encode()) + time(s["time"]) + digest(s["notes"])
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/version", data).hex()}


def make_notes(s):
    pairs = sorted((k.encode(), v.encode()) for k, v in s["metadata"].items())
    data = u8(1) + long_text(s["message"].encode()) + u16(len(pairs))
    data += b"".join(short_text(k) + long_text(v) for k, v in pairs)
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/notes", data).hex()}


def make_eviction(s):
    versions = sorted(bytes.fromhex(v) for v in s["versions"])
    data = u8(1) + u32(len(versions)) + b"".join(u8(1) + version for version in versions)
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/eviction", data).hex()}


def make_entry(s):
    body = bytes.fromhex(s["body"])
    data = u8(1) + bytes.fromhex(s["incarnation"]) + u64(s["sequence"]) + digest(s["previous"]) + time(s["time"])
    data += u64(s["fence"]) + u16(s["kind"]) + u8(1) + sha256_of("tributary/1/body", body)
    assert len(data) == 114
    return {"bytes": (data + body).hex(), "id": sha256_of("tributary/1/entry", data).hex()}


def make_record(s):
    payload = bytes.fromhex(s["payload"])
    head = b"TRB1" + u8(KINDS[s["kind"]]) + u8(s["encoding"]) + u8(0) + u8(1) + u32(0)
    head += u32(len(payload)) + u32(s["plain_length"]) + u8(len(s["bases"])) + bytes(3)
    head += bytes.fromhex(s["name"]) + b"".join(bytes.fromhex(b) for b in s["bases"])
    data = head + u32(crc32c(head)) + payload + u32(crc32c(payload))
    return {"bytes": data.hex(), "id": s["name"]}


def make_hello(s):
    """What a hub's Hello is signed over; PROTOCOL.md section 4."""
    data = u64(s["nonce"]) + u64(s["boot"]) + u64(s["epoch"]) + u32(len(s["journals"]))
    point = lambda p: bytes.fromhex(p["incarnation"]) + u64(p["sequence"]) + bytes.fromhex(p["hash"])
    data += b"".join(point(p) for p in s["journals"])
    data += s["device"].encode()
    if "time_ms" in s:
        data += b"\0" + u64(s["time_ms"]) + u64(s["root_version"]) + point(s["head"])
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/hello", data).hex()}


def make_agent_hello(s):
    """What an agent's Hello is signed over; PROTOCOL.md section 4."""
    point = lambda p: bytes.fromhex(p["incarnation"]) + u64(p["sequence"]) + bytes.fromhex(p["hash"])
    data = u64(s["nonce"]) + u64(s["answers"]) + u32(s["number"]) + u64(s["boot"])
    data += struct.pack("<HH", s["protocol_min"], s["protocol_max"]) + point(s["head"])
    data += u32(len(s["journals"])) + b"".join(point(p) for p in s["journals"])
    data += u64(s["epoch"]) + u64(s["receipt_sequence"]) + u32(s["frame_bytes"]) + u32(s["frames_in_flight"])
    data += u64(s["features"]) + u32(s["rest_ms"]) + u32(s["heartbeat_ms"]) + u64(s["root_version"]) + point(s["witness"])
    changes = [bytes.fromhex(change) for change in s["key_changes"]]
    data += u32(len(changes)) + b"".join(u32(len(change)) + change for change in changes)
    data += s["device"].encode() + b"\0" + s["software"].encode()
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/agent-hello", data).hex()}


def make_key_change(s):
    """What both keys of a KeyChanged sign; STORAGE.md section 5."""
    data = bytes.fromhex(s["incarnation"]) + sha256(bytes.fromhex(s["old_key"])) + bytes.fromhex(s["new_key"])
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/key-change", data).hex()}


def make_renewal(s):
    """What the old key signs when a certificate for a new one is asked for; PROTOCOL.md section 12."""
    data = bytes.fromhex(s["incarnation"]) + sha256(bytes.fromhex(s["old_key"])) + bytes.fromhex(s["csr"])
    return {"bytes": data.hex(), "id": sha256_of("tributary/1/renewal", data).hex()}


def hash_tree(leaves):
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + hash_tree(leaves[:middle]) + hash_tree(leaves[middle:]))


def make_hash_tree(s):
    return {"id": hash_tree([bytes.fromhex(leaf) for leaf in s["leaves"]]).hex()}


def make_batch(s):
    """What the one signature over a batch of documents covers."""
    leaves = [sha256_of(s["purpose"], bytes.fromhex(payload)) for payload in s["payloads"]]
    return {"id": (leaves[0] if len(leaves) == 1 else hash_tree(leaves)).hex()}


MAKERS = {"tree": make_tree, "tree_rule": make_tree_rule, "version": make_version, "notes": make_notes,
          "eviction": make_eviction, "entry": make_entry, "record": make_record, "hash_tree": make_hash_tree,
          "hello": make_hello, "agent_hello": make_agent_hello,
          "key_change": make_key_change, "renewal": make_renewal, "batch": make_batch}


# ---- a segment ----

PURPOSES = {3: "tree", 4: "version", 5: "notes", 11: "eviction"}


def take_record(data, at):
    """One raw record: (its end, kind, name, plain bytes)."""
    kind, encoding, flags, algorithm, key = struct.unpack_from("<BBBBI", data, at + 4)
    stored, plain, bases = struct.unpack_from("<IIB", data, at + 12)
    assert data[at:at + 4] == b"TRB1" and (encoding, flags, algorithm, key, bases) == (0, 0, 1, 0, 0) and stored == plain
    payload = data[at + 60:at + 60 + stored]
    assert crc32c(data[at:at + 56]) == struct.unpack_from("<I", data, at + 56)[0]
    assert crc32c(payload) == struct.unpack_from("<I", data, at + 60 + stored)[0]
    return at + 64 + stored, kind, data[at + 24:at + 56], payload


def name_of(kind, plain):
    if kind == KINDS["piece"]:
        return sha256(plain)
    if kind == KINDS["entry"]:
        assert plain[81:114] == u8(1) + sha256_of("tributary/1/body", plain[114:])
        return sha256_of("tributary/1/entry", plain[:114])
    return sha256_of("tributary/1/" + PURPOSES[kind], plain)


def check_segment(data):
    """An open segment of raw records: every CRC, salt, number, name and link."""
    assert data[:8] == b"TRBSEG1\n" and crc32c(data[:28]) == struct.unpack_from("<I", data, 28)[0]
    salt, (batch, number) = data[8:16], struct.unpack_from("<QI", data, 16)
    assert number == 1
    at = start = 32
    head, records = None, 0
    while at < len(data):
        magic = data[at:at + 4]
        if magic == b"TRB1":
            at, kind, name, plain = take_record(data, at)
            assert name == name_of(kind, plain)
            if kind == KINDS["entry"]:
                assert plain[25:58] == (u8(1) + head if head else bytes(33))
                head = name
            records += 1
        elif magic == b"TRBM":
            mark = data[at:at + 64]
            assert mark[4:8] == u32(at - start) and mark[8:16] == salt and mark[16:24] == u64(batch)
            assert mark[56:60] == u32(crc32c(data[start:at])) and mark[60:] == u32(crc32c(mark[:60]))
            at += 64
        else:
            mark = data[at:at + 24]
            assert mark[:20] == b"TRBA" + salt + u64(batch) and mark[20:] == u32(crc32c(mark[:20]))
            at += 24
            start, batch = at, batch + 1
    assert at == start == len(data)
    return records


def main():
    vectors = json.loads(FILE.read_text())
    wrong = 0
    for vector in vectors["vectors"]:
        made = MAKERS[vector["form"]](vector["statement"])
        if "--add" in sys.argv and "id" not in vector:
            vector.update(made)
        for key, value in made.items():
            if vector.get(key) != value:
                wrong += 1
                print(f"{vector['name']}: {key} is {value}, the file says {vector.get(key)}", file=sys.stderr)
    if "--add" in sys.argv:
        FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
    records = check_segment(SEGMENT.read_bytes())
    print(f"{len(vectors['vectors'])} vectors, {wrong} wrong; {records} records of a segment are sound")
    return 1 if wrong or not vectors["vectors"] else 0


if __name__ == "__main__":
    sys.exit(main())
