"""What the kernel tells of a running process: memory, time, wake-ups, bytes written. Standard library only."""
import re
import threading
import time
from pathlib import Path

KIB = 1024


def field_bytes(text, name):
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) * KIB


def memory(pid):
    """Bytes of physical memory: RSS counts shared pages whole, PSS divides them among those who map them; anonymous is what no
    file can give back: heap, stacks, relocated tables."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {"pss": field_bytes(text, "Pss"), "rss": field_bytes(text, "Rss"), "anonymous": field_bytes(text, "Anonymous")}


def owner_of(name, previous):
    if name.startswith("["):
        return {"[heap]": "heap", "[stack]": "stacks"}.get(name, "kernel")
    if name:
        return re.sub(r"\.so[.0-9]*$", "", Path(name).name)
    return previous


def memory_by_owner(pid):
    """PSS and anonymous bytes per mapped file, heap and anonymous memory. A file's .bss counts as its own."""
    owners, name, end = {}, "", ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)", line)
        if head:
            follows = head.group(1) == end and name not in ("heap", "stacks", "kernel")
            name, end = owner_of(head.group(3), name if follows else "anonymous"), head.group(2)
            continue
        key, _, rest = line.partition(":")
        if key in ("Pss", "Anonymous"):
            entry = owners.setdefault(name, {"pss": 0, "anonymous": 0})
            entry[key.lower()] += int(rest.split()[0]) * KIB
    return dict(sorted(owners.items(), key=lambda item: -item[1]["pss"]))


def work(pid):
    """What it has done so far, over all its threads."""
    cpu_ns = wakeups = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns += int((task / "schedstat").read_text().split()[0])
        wakeups += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M).group(1))
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return {"cpu_ms": cpu_ns / 1e6, "wakeups": wakeups, "written_bytes": int(io["wchar"]), "disk_bytes": int(io["write_bytes"])}


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


class Peak:
    """Samples a process every few milliseconds until the block ends; the greatest of each figure."""

    PERIOD_S = 0.01

    def __init__(self, pid):
        self.pid, self.greatest, self.samples, self.ended = pid, {}, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.ended.is_set():
            for name, value in memory(self.pid).items():
                self.greatest[name] = max(value, self.greatest.get(name, 0))
            self.samples += 1
            time.sleep(self.PERIOD_S)

    def __enter__(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # forget the greatest RSS so far
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        status = Path(f"/proc/{self.pid}/status").read_text()
        self.greatest["rss"] = max(self.greatest["rss"], field_bytes(status, "VmHWM"))  # the kernel misses none
