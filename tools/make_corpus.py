#!/usr/bin/python3
"""Makes a corpus of real checkpoints and telemetry, like the one behind docs/benchmarks.md.

usage: make_corpus.py OUTDIR [--families NAME,...] [--digits digits.csv.gz] [--text FILE...] [--seconds N]

Each family becomes a folder of successive versions v01, v02, ... Models are trained here, on the CPU, with
Debian's python3-torch (apt-get install --no-install-recommends python3-torch) and fixed seeds: the same files
again on the same machine and text. With Debian's plain BLAS the language models take many minutes. Telemetry is
this machine's own, so it takes its time and differs each run.

The digits are the ones in Debian's python3-sklearn. That package does not install beside libboost1.81-dev; its
one file that is needed does without: apt-get download python3-sklearn; dpkg -x python3-sklearn_*.deb DIR; and
--digits DIR/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz
"""
import argparse
import collections
import gzip
import io
import json
import math
import pathlib
import re
import struct
import time

DIGITS = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"
TEXT_BYTES_MAX = 2_000_000


# ---- what is written ----

class Family:
    """Numbers the versions of one family."""

    def __init__(self, outdir, name, suffix):
        self.directory = outdir / name
        self.suffix = suffix
        self.count = 0
        self.directory.mkdir(parents=True, exist_ok=True)

    def add(self, content):
        self.count += 1
        path = self.directory / f"v{self.count:02d}.{self.suffix}"
        path.write_bytes(content)
        print(f"{path}  {len(content)} bytes", flush=True)


def raw_bytes(tensor):
    import torch
    if tensor.dtype == torch.bfloat16:  # which numpy does not know
        tensor = tensor.view(torch.int16)
    return tensor.contiguous().numpy().tobytes()


def safetensors(tensors, metadata):
    """Header length, JSON header padded to 8, data; wide elements first, then by name, as the library does."""
    import torch
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int8: "I8", torch.int64: "I64"}
    header = {"__metadata__": {key: str(value) for key, value in metadata.items()}}
    data = []
    at = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):
        tensor = tensors[name].detach()
        data.append(raw_bytes(tensor))
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(data[-1])]}
        at += len(data[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data)


def gguf(tensors, name):
    """GGUF v3: Q8_0 where a row is a multiple of 32 long, else F32."""
    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    infos, data = b"", b""
    for key, tensor in tensors.items():
        quantised = tensor.dim() == 2 and tensor.shape[1] % 32 == 0
        shape = list(reversed(tensor.shape))
        infos += string(key) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 8 if quantised else 0, len(data))
        data += q8_0(tensor) if quantised else raw_bytes(tensor)
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 2)
    for key, value in (("general.architecture", "tinylm"), ("general.name", name)):
        head += string(key) + struct.pack("<I", 8) + string(value)
    head += infos
    return head + bytes(-len(head) % 32) + data


def q8_0(tensor):
    """Blocks of 32 values: one fp16 scale, then 32 int8."""
    import torch
    blocks = tensor.detach().reshape(-1, 32)
    scale = blocks.abs().amax(1, keepdim=True) / 127
    values = torch.round(blocks / scale.clamp(min=1e-12)).to(torch.int8)
    halves = scale.to(torch.float16).view(torch.uint8).reshape(-1, 2)
    return torch.cat([halves, values.view(torch.uint8)], 1).numpy().tobytes()


def int8(tensors):
    """Matrices as int8 with one fp32 scale a row; vectors as they are."""
    import torch
    out = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            out[name] = tensor
            continue
        scale = tensor.abs().amax(1).clamp(min=1e-12) / 127
        out[name] = torch.round(tensor / scale[:, None]).to(torch.int8)
        out[name + ".scale"] = scale
    return out


# ---- convolutional nets on handwritten digits ----

def load_digits(path):
    import torch
    rows = [[float(cell) for cell in line.split(",")] for line in gzip.open(path, "rt")]
    table = torch.tensor(rows)
    return table[:, :-1].reshape(-1, 1, 8, 8) / 16, table[:, -1].long()


def conv_net(widths, hidden):
    import torch
    from torch import nn
    layers = collections.OrderedDict()
    before = 1
    for i, width in enumerate(widths, 1):
        layers[f"c{i}"] = nn.Conv2d(before, width, 3, padding=1)
        layers[f"b{i}"] = nn.BatchNorm2d(width)
        layers[f"r{i}"] = nn.ReLU()
        if i % 2 == 0:
            layers[f"p{i}"] = nn.MaxPool2d(2)
        before = width
    layers["flat"] = nn.Flatten()
    layers["fc1"] = nn.Linear(before * 4, hidden)
    layers["relu"] = nn.ReLU()
    layers["fc2"] = nn.Linear(hidden, 10)
    return nn.Sequential(layers)


def train_epoch(net, optimiser, images, labels):
    import torch
    order = torch.randperm(len(images))
    for batch in order.split(64):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimiser.step()


def make_cnn(outdir, families, digits):
    import torch
    images, labels = load_digits(digits)
    if families & {"cnn-sgd", "finetune-frozen"}:
        torch.manual_seed(1)
        net = conv_net((28, 56, 112, 112), 320)
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)
        checkpoints = Family(outdir, "cnn-sgd", "safetensors") if "cnn-sgd" in families else None
        for epoch in range(1, 11):
            train_epoch(net, optimiser, images, labels)
            rate.step()
            if checkpoints:
                checkpoints.add(safetensors(net.state_dict(), {"epoch": epoch}))
        if "finetune-frozen" in families:
            make_finetune(outdir, net, 1 - images, labels)
    if families & {"onnx", "pt"}:
        torch.manual_seed(2)
        net = conv_net((20, 40, 80, 80), 224)
        optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        onnx = Family(outdir, "onnx", "onnx") if "onnx" in families else None
        saved = Family(outdir, "pt", "pt") if "pt" in families else None
        for epoch in range(1, 5):
            net.train()
            train_epoch(net, optimiser, images, labels)
            buffer = io.BytesIO()
            if onnx:
                torch.onnx.export(net.eval(), images[:1], buffer)
                onnx.add(buffer.getvalue())
            if saved and epoch <= 3:
                buffer = io.BytesIO()
                torch.save({"epoch": epoch, "model": net.state_dict(), "optimizer": optimiser.state_dict()}, buffer)
                saved.add(buffer.getvalue())


def make_finetune(outdir, net, images, labels):
    """The last layer alone learns; batch norm stands still."""
    import torch
    net.eval()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("fc2"))
    optimiser = torch.optim.SGD(net.fc2.parameters(), lr=0.05)
    checkpoints = Family(outdir, "finetune-frozen", "safetensors")
    for epoch in range(1, 6):
        train_epoch(net, optimiser, images, labels)
        checkpoints.add(safetensors(net.state_dict(), {"epoch": epoch}))


# ---- small language models ----

def load_tokens(paths):
    """Bytes and the 512 most frequent words, of the files given or of /usr/share/doc."""
    import torch
    if not paths:
        paths = sorted(path for path in pathlib.Path("/usr/share/doc").rglob("*")
                       if path.is_file() and path.suffix in {"", ".txt", ".md", ".html"})
    text = b""
    for path in paths:
        text += pathlib.Path(path).read_bytes()
        if len(text) > TEXT_BYTES_MAX:
            break
    parts = re.findall(rb" ?[A-Za-z]{2,}|.", text[:TEXT_BYTES_MAX], re.DOTALL)
    counts = collections.Counter(part for part in parts if len(part) > 1)
    known = {word: 256 + i for i, (word, _) in enumerate(counts.most_common(512))}
    tokens = []
    for part in parts:
        tokens.extend([known[part]] if part in known else part)
    return torch.tensor(tokens)


def language_model(width, depth, heads):
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.dn = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x, mask):
            batch, length, _ = x.shape
            q, k, v = self.qkv(self.n1(x)).reshape(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask).softmax(-1)
            x = x + self.o((weights @ v).transpose(1, 2).reshape(x.shape))
            return x + self.dn(torch.relu(self.up(self.n2(x))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tok, self.pos = nn.Embedding(768, width), nn.Embedding(64, width)
            self.blk = nn.ModuleList(Block() for _ in range(depth))
            self.norm = nn.LayerNorm(width)

        def forward(self, tokens):
            x = self.tok(tokens) + self.pos.weight[:tokens.shape[1]]
            mask = torch.full((tokens.shape[1],) * 2, -math.inf).triu(1)
            for block in self.blk:
                x = block(x, mask)
            return self.norm(x) @ self.tok.weight.T / math.sqrt(width)

    return Model()


def train_steps(model, optimiser, tokens, steps, rate=lambda step: None):
    import torch
    for step in range(steps):
        if (lr := rate(step)) is not None:
            optimiser.param_groups[0]["lr"] = lr
        starts = torch.randint(len(tokens) - 65, (16,))
        window = torch.stack([tokens[start:start + 65] for start in starts.tolist()])
        optimiser.zero_grad()
        logits = model(window[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten()).backward()
        optimiser.step()


def make_lm(outdir, families, texts):
    import torch
    tokens = load_tokens(texts)
    if "lm-adam" in families:
        make_lm_adam(outdir, tokens)
    if not families & {"lm-bf16", "fp16", "int8", "gguf-q8"}:
        return
    torch.manual_seed(4)
    model = language_model(144, 3, 6)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    train_steps(model, optimiser, tokens, 200)
    family = {name: Family(outdir, name, suffix) for name, suffix in
              (("lm-bf16", "safetensors"), ("fp16", "safetensors"), ("int8", "safetensors"), ("gguf-q8", "gguf"))
              if name in families}
    for version in range(1, 9):  # the last three: a late fine-tune
        late = version > 5
        train_steps(model, optimiser, tokens, 25 if late else 50, lambda step: 2e-5 if late else 1e-3)
        master = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        if "lm-bf16" in family:
            family["lm-bf16"].add(safetensors({k: v.to(torch.bfloat16) for k, v in master.items()}, {"version": version}))
        if "fp16" in family and 5 <= version <= 7:
            family["fp16"].add(safetensors({k: v.to(torch.float16) for k, v in master.items()}, {"version": version}))
        if "int8" in family and version <= 6:
            family["int8"].add(safetensors(int8(master), {"version": version}))
        if "gguf-q8" in family and version in (6, 7):
            family["gguf-q8"].add(gguf(master, f"lm v{version}"))


def make_lm_adam(outdir, tokens):
    """With the optimiser's state, the rate falling to 0."""
    import torch
    torch.manual_seed(3)
    model = language_model(96, 2, 4)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    train_steps(model, optimiser, tokens, 150)
    checkpoints = Family(outdir, "lm-adam", "safetensors")
    for version in range(1, 7):
        train_steps(model, optimiser, tokens, 50,
                    lambda step: 1e-3 * (1 + math.cos(math.pi * ((version - 1) * 50 + step) / 300)))
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            for kind in ("exp_avg", "exp_avg_sq"):
                tensors[f"optimizer.{kind}.{name}"] = optimiser.state[parameter][kind]
        tensors["optimizer.step"] = torch.tensor([150 + version * 50])
        checkpoints.add(safetensors(tensors, {"step": 150 + version * 50}))


# ---- telemetry ----

def sample():
    """This machine's counters, by name."""
    out = {}
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name.startswith("cpu"):
            fields = zip(("user", "nice", "sys", "idle", "iow", "irq", "sirq"), values)
            out.update({f"{name}_{field}": int(value) for field, value in fields})
        elif name in ("ctxt", "processes", "procs_running", "procs_blocked"):
            out[name] = int(values[0])
    wanted = {"MemFree", "MemAvailable", "Cached", "Active", "Inactive", "Dirty", "AnonPages", "Slab"}
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split()[:2]
        if name[:-1] in wanted:
            out["mem_" + name[:-1]] = int(value)
    out["load1"], out["load5"] = map(float, pathlib.Path("/proc/loadavg").read_text().split()[:2])
    return out


def make_telemetry(outdir, families, seconds):
    """A sample every 50 ms, six versions, each the whole file so far."""
    csv = Family(outdir, "telemetry-csv", "csv") if "telemetry-csv" in families else None
    jsonl = Family(outdir, "telemetry-jsonl", "jsonl") if "telemetry-jsonl" in families else None
    names = list(sample())
    rows = ["ts," + ",".join(names)]
    lines = []
    begin = time.time()
    for number in range(seconds * 20):
        time.sleep(max(0.0, begin + number / 20 - time.time()))
        now, values = time.time(), sample()
        rows.append(f"{now:.3f}," + ",".join(str(values[name]) for name in names))
        if number % 2 == 0:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
            lines.append(json.dumps({"ts": stamp, "node": "edge-07", "seq": number // 2, "m": values}))
        if (number + 1) * 6 % (seconds * 20) < 6:
            if csv:
                csv.add(("\n".join(rows) + "\n").encode())
            if jsonl:
                jsonl.add(("\n".join(lines) + "\n").encode())


CNN = {"cnn-sgd", "finetune-frozen", "onnx", "pt"}
LM = {"lm-adam", "lm-bf16", "fp16", "int8", "gguf-q8"}
TELEMETRY = {"telemetry-csv", "telemetry-jsonl"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--families", default=",".join(sorted(CNN | LM | TELEMETRY)), help="default: all")
    parser.add_argument("--digits", default=DIGITS, help="digits.csv.gz of scikit-learn")
    parser.add_argument("--text", nargs="*", default=[], help="what the language models learn; default: /usr/share/doc")
    parser.add_argument("--seconds", type=int, default=240, help="how long telemetry is taken")
    args = parser.parse_args()
    families = set(args.families.split(","))
    if unknown := families - CNN - LM - TELEMETRY:
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    if families & CNN and not pathlib.Path(args.digits).exists():
        parser.error(f"{args.digits} is missing: see above how to get it, and give --digits")
    if families & (CNN | LM):
        try:
            import torch
        except ImportError:
            parser.error("python3-torch is missing: apt-get install --no-install-recommends python3-torch")
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)  # sums in one order
    if families & CNN:
        make_cnn(args.outdir, families, args.digits)
    if families & LM:
        make_lm(args.outdir, families, args.text)
    if families & TELEMETRY:
        make_telemetry(args.outdir, families, args.seconds)


if __name__ == "__main__":
    main()
