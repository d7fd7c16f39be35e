#!/usr/bin/env python3
"""What the codec's page of docs/benchmarks.md tells of successive versions of a file: the tables, and what does not hold.

usage: codec_tables.py BENCH DIR... [--levels default,fast,max] [--hold] [--json]
BENCH is the program tributary-bench, of the preset release. Each DIR holds the versions of one file, in the order of their
names; the first one is not counted. Prints, as Markdown: what is stored and how fast the levels default and fast are, in
multiples of zstd's level 3 in the same run; the same of max, in MB/s; how fast recording beside the older file is, in
multiples of recording in its place and of the encoder. With --hold each DIR is a public family, named as it, and held to that
family's figures: its ceilings stand in the tables, last comes what is above its ceiling or below its hold, and the exit is 1
when a ceiling is missed. Speeds that are ratios of processor time hold on a busy machine; recording is timed by the clock and
does not.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 900


class Family(NamedTuple):
    """Percent that default and max may store, and which speeds are held."""
    default: float
    max: float
    width: str | None = None


FAMILIES = {
    "cnn-sgd": Family(53.8, 51.5, "4 bytes"),
    "finetune-frozen": Family(0.95, 0.80, "4 bytes"),
    "lm-adam": Family(76.8, 75.4, "4 bytes"),
    "lm-bf16": Family(33.7, 32.3, "2 bytes"),
    "fp16": Family(36.9, 34.7, "2 bytes"),
    "int8": Family(49.1, 46.9),
    "gguf-q8": Family(56.5, 55.0),
    "onnx": Family(75.2, 73.5, "4 bytes"),
    "pt": Family(79.5, 77.8, "4 bytes"),
    "telemetry-csv": Family(1.65, 1.50),
    "telemetry-jsonl": Family(0.70, 0.62),
}
# Encoder and decoder beside ZSTD_compress level 3 and its decoder, at least.
SPEEDS = {
    ("default", "4 bytes"): (0.5, 0.2),
    ("default", "2 bytes"): (0.25, 0.1),
    ("fast", "4 bytes"): (1.1, 0.6),
    ("fast", "2 bytes"): (0.9, 0.4),
}


def measure(bench, folder, level):
    answer = json.loads(subprocess.run([bench, "codec", folder, "--level", level, "--json"], check=True,
                                       stdout=subprocess.PIPE, timeout=TIMEOUT_S).stdout)
    if not all(file["verified"] for file in answer["files"]):
        sys.exit(f"{folder}: a version did not come back as it was")
    return answer["total"]


def percent(total):
    return 100 * total["stored_bytes"] / total["plain_bytes"]


def multiple(total, end):
    return total[f"{end}_mb_s"] / total[f"zstd3_{end}_mb_s"]


def short(value):
    """Two digits behind the point where the first of these would tell too little."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table_of_levels(families, levels, held):
    head = ["family"]
    for level in levels:
        head += [f"stored, {level}"] + (["ceiling"] if held and level == "default" else []) + ["encode", "decode"]
    yield row(head)
    yield "|" + "---|" * len(head)
    for name, totals in families.items():
        cells = [name]
        for level in levels:
            cells.append(f"{short(percent(totals[level]))} %")
            if held and level == "default":
                cells.append(f"{short(FAMILIES[name].default)} %")
            cells += [f"{multiple(totals[level], end):.2f} ×" for end in ("encode", "decode")]
        yield row(cells)


def table_across(families, rows):
    yield row([""] + list(families))
    yield "|---|" + "---:|" * len(families)
    for title, cell in rows:
        yield row([title] + [cell(name, totals) for name, totals in families.items()])


def table_of_max(families, held):
    def speed(end):
        return lambda name, totals: f"{totals['max'][f'{end}_mb_s']:.0f}"
    ceiling = [("ceiling, %", lambda name, totals: short(FAMILIES[name].max))] if held else []
    return table_across(families, [
        ("stored, %", lambda name, totals: f"{percent(totals['max']):.{2 if percent(totals['max']) >= 2 else 3}f}"),
        *ceiling,
        ("encode, MB/s", speed("encode")),
        ("decode, MB/s", speed("decode")),
    ])


def table_of_recording(families, levels):
    def of(level, one, other):
        return lambda name, totals: short(totals[level][one] / totals[level][other])
    rows = []
    for level in levels:
        rows += [(f"`{level}`, times", of(level, "record_beside_mb_s", "record_mb_s")),
                 (f"`{level}`, of encode", of(level, "record_beside_mb_s", "encode_mb_s"))]
    return table_across(families, rows)


def misses(families):
    """Above a ceiling, and below a hold of speed."""
    above, below = [], []
    for name, totals in families.items():
        family = FAMILIES[name]
        for level, total in totals.items():
            ceiling = {"default": family.default, "max": family.max}.get(level)
            if ceiling is not None and percent(total) > ceiling:
                above.append(f"{name} at {level}: {percent(total):.3f} % of {ceiling}")
            holds = zip(("encode", "decode"), SPEEDS.get((level, family.width), ()))
            below += [f"{name} at {level}: {end} {multiple(total, end):.3f} of {hold}"
                      for end, hold in holds if multiple(total, end) < hold]
    return above, below


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", metavar="BENCH")
    parser.add_argument("dirs", metavar="DIR", nargs="+", type=Path)
    parser.add_argument("--levels", default="default,fast,max", help="levels of Tributary, with commas between")
    parser.add_argument("--hold", action="store_true", help="each DIR is the public family of its name")
    parser.add_argument("--json", action="store_true", help="the bench's own answers, by family and level")
    arguments = parser.parse_args()
    levels = arguments.levels.split(",")
    strangers = [folder.name for folder in arguments.dirs if folder.name not in FAMILIES]
    if arguments.hold and strangers:
        parser.error(f"no public family: {', '.join(strangers)}")
    families = {folder.name: {level: measure(arguments.bench, folder, level) for level in levels}
                for folder in arguments.dirs}
    above, below = misses(families) if arguments.hold else ([], [])
    if arguments.json:
        missed = {"above_ceiling": above, "below_hold": below} if arguments.hold else {}
        print(json.dumps({"families": families} | missed, indent=1))
        return 1 if above else 0

    quick = [level for level in levels if level != "max"]
    thorough = [level for level in levels if level != "fast"]
    tables = [table_of_levels(families, quick, arguments.hold)] if quick else []
    if "max" in levels:
        tables.append(table_of_max(families, arguments.hold))
    if thorough:
        tables.append(table_of_recording(families, thorough))
    print("\n\n".join("\n".join(table) for table in tables))
    if arguments.hold:
        print("\nAbove a ceiling: " + ("; ".join(above) or "nothing"))
        print("Below a hold: " + ("; ".join(below) or "nothing"))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
