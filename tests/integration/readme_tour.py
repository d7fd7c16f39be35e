#!/usr/bin/env python3
"""The README's tour does what the README shows.

Runs the commands of all ```bash blocks, in order and in one shell, in an empty directory with the built programs on
PATH. What they print must be what the README shows in lines that begin with `#`, but for what is another at each run
or on each machine:

    ids      64 or 12 hexadecimal digits: any, but where the README shows one id twice, the run must too
    times    any time of that form; "(clock not synchronised)" may be missing, and a "?" and its line there
    sizes    such as 1.9 MB, and counts of records: up to 10 % more or less
    spaces   any number for any number
    ports    the README's are replaced by free ones

usage: readme_tour.py SOURCE_DIR BIN_DIR     run it
       readme_tour.py --self-test            prove that a difference is seen
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

PORTS = ("11883", "8460")
PATIENCE_S = 90
CLOCK_LINE = "? by a clock that was not synchronised"
TOKEN = re.compile(r"(?P<id>\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b)"
                   r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
                   r"|(?P<size>\d+(?:\.\d+)? (?:B|kB|MB|GB|records?)\b)")


def read_tour(text):
    """[(line number, command, shown output)]"""
    steps, inside, end = [], False, None  # end: the word that ends a here-document
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```bash"
        elif not inside:
            continue
        elif end:
            steps[-1][1] += "\n" + line
            end = None if line == end else end
        elif line.startswith("#"):
            steps[-1][2].append(line[2:])
        else:
            steps.append([number, line, []])
            word = re.search(r"<<(\w+)", line)
            end = word and word.group(1)
    return steps


class Comparison:
    """Remembers which id of the README stands for which of the run."""

    def __init__(self):
        self.run_of, self.shown_of = {}, {}

    def difference(self, shown, printed):
        """None, or what differs."""
        printed = [line for line in printed if line != CLOCK_LINE]
        if len(shown) != len(printed):
            return f"{len(shown)} lines are shown, {len(printed)} were printed"
        for shown_line, printed_line in zip(shown, printed):
            if not self.same_line(shown_line, printed_line):
                return f"shown    {shown_line}\n  printed  {printed_line}"
        return None

    def same_line(self, shown, printed):
        shown, printed = (line.replace(" (clock not synchronised)", "").replace("Z ?", "Z")
                          for line in (shown, printed))
        plain = [" ".join(TOKEN.sub("\0", line).split()) for line in (shown, printed)]
        if plain[0] != plain[1]:
            return False
        return all(a.lastgroup == b.lastgroup and self.same_token(a.lastgroup, a.group(), b.group())
                   for a, b in zip(TOKEN.finditer(shown), TOKEN.finditer(printed)))

    def same_token(self, kind, shown, printed):
        if kind == "id":
            a, b = shown[:12], printed[:12]
            return (len(shown) == len(printed) and self.run_of.setdefault(a, b) == b
                    and self.shown_of.setdefault(b, a) == a)
        if kind == "size":
            (a, unit_a), (b, unit_b) = shown.split(), printed.split()
            return unit_a == unit_b and abs(float(a) - float(b)) <= 0.1 * float(a) + 1e-9
        return True


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def run(steps, home, data, programs):
    """What each step printed; None for a step that was not reached."""
    ports = dict(zip(PORTS, free_ports(len(PORTS))))

    def with_ports(text, table):
        for old, new in table.items():
            text = re.sub(rf"\b{old}\b", new, text)
        return text

    script = "".join(f"echo '=== {index}'\n{with_ports(command, ports)}\n"
                     for index, (_, command, _) in enumerate(steps))
    environment = {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "DATA": str(data), "HOME": str(home),
                   "LC_ALL": "C.UTF-8"}
    shell = subprocess.Popen(["bash", "-c", script + "echo '=== end'\n"], cwd=home, env=environment, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             start_new_session=True)
    try:
        printed, _ = shell.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        printed, _ = shell.communicate()
        printed += f"\n(ended after {PATIENCE_S} s)\n"
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)  # whatever the tour left running
        except ProcessLookupError:
            pass
    printed = with_ports(printed, {new: old for old, new in ports.items()})
    outputs = re.split(r"^=== (?:\d+|end)\n", printed, flags=re.M)[1:]
    return [outputs[index].splitlines() if index < len(outputs) else None for index in range(len(steps))]


def tour(source, programs):
    steps = read_tour((source / "README.md").read_text())
    if not steps:
        print("README.md has no tour", file=sys.stderr)
        return 1
    home = Path(tempfile.mkdtemp(prefix="tour-"))
    comparison, wrong = Comparison(), 0
    try:
        for (number, command, shown), printed in zip(steps, run(steps, home, source / "tests/data", programs)):
            what = "was not reached" if printed is None else comparison.difference(shown, printed)
            print(f"{'ok  ' if what is None else 'FAIL'} README.md:{number}: {command.splitlines()[0]}")
            if what is not None:
                wrong += 1
                print(f"  {what}")
                print("".join(f"  | {line}\n" for line in printed or []), end="")
        if wrong:
            for log in sorted(home.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{len(steps)} commands, {wrong} not as shown")
    return 1 if wrong else 0


def self_test():
    one, other = "a" * 64, "b" * 64
    same = [("version sha256:" + one, "version sha256:" + other),
            ("stored 1.9 MB in 31 records", "stored  2.0 MB in 33 records"),
            ("at 2026-11-21T03:19:47.128Z (clock not synchronised)", "at 2027-01-01T00:00:00.000Z"), ("", "")]
    differ = [("1.9 MB", "2.5 MB"), ("1.9 MB", "1.9 kB"), ("epoch 1", "epoch 2"), ("aa" * 6, "none"),
              ("sha256:" + one, other), ("on vision/digits/main", "on vision/digits@main")]
    assert all(Comparison().difference([a], [b]) is None for a, b in same)
    assert all(Comparison().difference([a], [b]) is not None for a, b in differ)
    assert Comparison().difference(["one"], []) and Comparison().difference([], ["one"])
    assert Comparison().difference([one, one], [other, "c" * 64])
    assert Comparison().difference([one, other], [other, other])
    assert Comparison().difference([one, "a" * 12], [other, "b" * 12]) is None
    assert Comparison().difference(["at 2026-11-21T03:19:47.128Z b"],
                                   ["at 2026-11-21T03:19:47.128Z ? b", CLOCK_LINE]) is None
    assert read_tour("```sh\nno\n```\n```bash\na <<X\n# b\nX\n# out\n#\nc\n```\ntext\n") == [
        [5, "a <<X\n# b\nX", ["out", ""]], [10, "c", []]]
    print("differences are seen")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(tour(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
