#!/usr/bin/python3
"""Makes a corpus of real checkpoints and telemetry, like the one behind docs/benchmarks.md.

Each family becomes a folder of successive versions v01, v02, ... under OUTDIR. Models are trained here, on the
CPU, with fixed seeds: the same files again on the same kind of processor with the same packages. Telemetry is
this machine's own: it takes its time and differs each run.

What it needs, on Debian 12:
  apt-get install --no-install-recommends python3-torch libopenblas0-pthread python3-sklearn
Without libopenblas0-pthread, on Debian's plain BLAS, the language models take ten times as long: some eleven
minutes of a quiet core instead of one. All the rest takes half a minute, and telemetry its --seconds.

Of python3-sklearn only the digits are used, which the conv nets learn. It does not install beside libboost1.81-dev;
the one file does without: apt-get download python3-sklearn; dpkg -x python3-sklearn_*.deb DIR; and
--digits DIR/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz
The language models learn the texts of Python's own help, which every python3 of Debian brings.
"""
import argparse
import collections
import gzip
import io
import json
import math
import os
import pathlib
import pydoc_data.topics
import re
import struct
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read once, at the import of torch: sums in one order, in its BLAS too
try:
    import torch
except ImportError:
    sys.exit(f"{sys.executable} has no torch: apt-get install --no-install-recommends python3-torch, "
             "and run this with /usr/bin/python3")
from torch import nn

DIGITS = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"


# ---- what is written ----

class Corpus:
    """Numbers and writes the versions of the families asked for; those of others it drops."""

    def __init__(self, outdir, families):
        self.outdir = outdir
        self.versions = dict.fromkeys(families, 0)

    def add(self, family, suffix, content):
        if family not in self.versions:
            return
        self.versions[family] += 1
        path = self.outdir / family / f"v{self.versions[family]:02d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{path}  {len(content)} bytes", flush=True)


def raw_bytes(tensor):
    if tensor.dtype == torch.bfloat16:  # which numpy does not know
        tensor = tensor.view(torch.int16)
    return tensor.contiguous().numpy().tobytes()


def safetensors(tensors, **metadata):
    """Header length, JSON header padded to 8, data; wide elements first, then by name, as the library does."""
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int8: "I8", torch.int64: "I64"}
    header = {"__metadata__": {key: str(value) for key, value in metadata.items()}} if metadata else {}
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


def gguf(tensors, name, depth):
    """GGUF v3: Q8_0 where a row is a multiple of 32 long, else F32."""
    string_type, uint32_type = 8, 4

    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    infos, data = b"", b""
    for key, tensor in tensors.items():
        quantised = tensor.dim() == 2 and tensor.shape[1] % 32 == 0
        shape = list(reversed(tensor.shape))
        infos += string(key) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 8 if quantised else 0, len(data))
        data += q8_0(tensor) if quantised else raw_bytes(tensor)
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 3)
    for key, value in (("general.architecture", "tinylm"), ("general.name", name)):
        head += string(key) + struct.pack("<I", string_type) + string(value)
    head += string("tinylm.block_count") + struct.pack("<II", uint32_type, depth)
    head += infos
    return head + bytes(-len(head) % 32) + data


def q8_0(tensor):
    """Blocks of 32 values: one fp16 scale, then 32 int8."""
    blocks = tensor.detach().reshape(-1, 32)
    scale = blocks.abs().amax(1, keepdim=True) / 127
    values = torch.round(blocks / scale.clamp(min=1e-12)).to(torch.int8)
    halves = scale.to(torch.float16).view(torch.uint8).reshape(-1, 2)
    return torch.cat([halves, values.view(torch.uint8)], 1).numpy().tobytes()


def int8(tensors):
    """Matrices as int8 with one fp32 scale a row; vectors as they are."""
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
    rows = [[float(cell) for cell in line.split(",")] for line in gzip.open(path, "rt")]
    table = torch.tensor(rows)
    return table[:, :-1].reshape(-1, 1, 8, 8) / 16, table[:, -1].long()


def conv_net(widths, hidden):
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
    order = torch.randperm(len(images))
    for batch in order.split(64):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimiser.step()


def make_cnn(corpus, args):
    images, labels = load_digits(args.digits)
    torch.manual_seed(1)
    net = conv_net((28, 56, 112, 112), 320)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)
    for epoch in range(1, 11):
        train_epoch(net, optimiser, images, labels)
        rate.step()
        corpus.add("cnn-sgd", "safetensors", safetensors(net.state_dict(), epoch=epoch))

    net.eval()  # from here the last layer alone learns; batch norm stands still
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("fc2"))
    optimiser = torch.optim.SGD(net.fc2.parameters(), lr=0.05)
    for epoch in range(1, 6):
        train_epoch(net, optimiser, 1 - images, labels)
        corpus.add("finetune-frozen", "safetensors", safetensors(net.state_dict(), epoch=epoch))


def make_small_cnn(corpus, args):
    images, labels = load_digits(args.digits)
    torch.manual_seed(2)
    net = conv_net((20, 40, 80, 80), 224)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, 5):
        train_epoch(net, optimiser, images, labels)
        exported = io.BytesIO()
        torch.onnx.export(net.eval(), images[:1], exported)
        corpus.add("onnx", "onnx", exported.getvalue())
        net.train()
        if epoch <= 3:
            saved = io.BytesIO()
            torch.save({"epoch": epoch, "model": net.state_dict(), "optimizer": optimiser.state_dict()}, saved)
            corpus.add("pt", "pt", saved.getvalue())


# ---- small language models ----

def load_tokens():
    """Bytes and the 512 most frequent words, of the texts behind help() in Python."""
    text = "".join(pydoc_data.topics.topics.values()).encode()
    parts = re.findall(rb" ?[A-Za-z]{2,}|.", text, re.DOTALL)
    counts = collections.Counter(part for part in parts if len(part) > 1)
    known = {word: 256 + i for i, (word, _) in enumerate(counts.most_common(512))}
    tokens = []
    for part in parts:
        tokens.extend([known[part]] if part in known else part)
    return torch.tensor(tokens)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.dn = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask).softmax(-1)
        x = x + self.o((weights @ v).transpose(1, 2).reshape(x.shape))
        return x + self.dn(torch.relu(self.up(self.n2(x))))


class LanguageModel(nn.Module):
    def __init__(self, width, depth, heads):
        super().__init__()
        self.tok, self.pos = nn.Embedding(768, width), nn.Embedding(64, width)
        self.blk = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.tok(tokens) + self.pos.weight[:tokens.shape[1]]
        mask = torch.full((tokens.shape[1],) * 2, -math.inf).triu(1)
        for block in self.blk:
            x = block(x, mask)
        return self.norm(x) @ self.tok.weight.T / math.sqrt(x.shape[-1])


class Training:
    """Steps of one language model; tells every 25 of them how far it is."""

    def __init__(self, model, optimiser, all_steps):
        self.model, self.optimiser, self.all_steps = model, optimiser, all_steps
        self.tokens = load_tokens()
        self.step = 0
        self.begin = time.monotonic()

    def run(self, steps, rate):
        """`rate` tells the learning rate from the number of the step."""
        for _ in range(steps):
            self.step += 1
            self.optimiser.param_groups[0]["lr"] = rate(self.step)
            starts = torch.randint(len(self.tokens) - 65, (16,))
            window = torch.stack([self.tokens[start:start + 65] for start in starts.tolist()])
            self.optimiser.zero_grad()
            logits = self.model(window[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
            loss.backward()
            self.optimiser.step()
            if self.step % 25 == 0:
                print(f"  step {self.step} of {self.all_steps}, loss {loss.item():.2f}, "
                      f"{time.monotonic() - self.begin:.0f} s", flush=True)


def make_lm_adam(corpus, _):
    """With the optimiser's state, the rate falling towards 0."""
    torch.manual_seed(3)
    model = LanguageModel(width=96, depth=2, heads=4)
    optimiser = torch.optim.Adam(model.parameters())
    training = Training(model, optimiser, 450)

    def rate(step):
        return 1e-3 * (1 + math.cos(math.pi * max(0, step - 150) / 350))

    training.run(150, rate)
    for _ in range(6):
        training.run(50, rate)
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            for kind in ("exp_avg", "exp_avg_sq"):
                tensors[f"optimizer.{kind}.{name}"] = optimiser.state[parameter][kind]
        tensors["optimizer.step"] = torch.tensor([training.step])
        corpus.add("lm-adam", "safetensors", safetensors(tensors, step=training.step, lr=rate(training.step)))


def make_lm(corpus, _):
    """One run, of whose versions four families are stored. The last three are a late fine-tune."""
    torch.manual_seed(4)
    depth = 3
    model = LanguageModel(width=144, depth=depth, heads=6)
    training = Training(model, torch.optim.AdamW(model.parameters()), 525)
    training.run(200, lambda _: 1e-3)
    for version in range(1, 9):
        if version <= 5:
            training.run(50, lambda _: 1e-3)
        else:
            training.run(25, lambda _: 2e-5)
        weights = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        corpus.add("lm-bf16", "safetensors", safetensors({k: v.to(torch.bfloat16) for k, v in weights.items()}))
        if 5 <= version <= 7:
            corpus.add("fp16", "safetensors", safetensors({k: v.to(torch.float16) for k, v in weights.items()}))
        if version <= 6:
            corpus.add("int8", "safetensors", safetensors(int8(weights)))
        if version in (6, 7):
            corpus.add("gguf-q8", "gguf", gguf(weights, f"lm v{version}", depth))


# ---- families that the coders were not made with ----

class Lion(torch.optim.Optimizer):
    """Each weight moves by the learning rate, up or down (Chen et al. 2023, "Symbolic discovery of optimization
    algorithms")."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.1})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                mean = self.state[parameter].setdefault("exp_avg", torch.zeros_like(parameter))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(group["lr"] * torch.lerp(parameter.grad, mean, group["betas"][0]).sign())
                mean.lerp_(parameter.grad, 1 - group["betas"][1])


class LowRank(nn.Module):
    """A frozen layer and what it learns, of rank 8 (Hu et al. 2021, "LoRA")."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.a = nn.Parameter(torch.randn(8, layer.in_features) / math.sqrt(layer.in_features))
        self.b = nn.Parameter(torch.zeros(layer.out_features, 8))

    def forward(self, x):
        return self.layer(x) + 2 * (x @ self.a.T) @ self.b.T


def with_state(model, optimiser, kind):
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        tensors[f"optimizer.{kind}.{name}"] = optimiser.state[parameter][kind]
    return safetensors(tensors)


def make_lm_lion(corpus, _):
    torch.manual_seed(5)
    model = LanguageModel(width=96, depth=2, heads=4)
    training = Training(model, Lion(model.parameters()), 400)
    training.run(150, lambda _: 3e-4)
    for _ in range(5):
        training.run(50, lambda step: 3e-4 * (1 - (step - 150) / 300))
        corpus.add("lm-lion", "safetensors", with_state(model, training.optimiser, "exp_avg"))


def make_lm_momentum(corpus, _):
    """And, of the same run, the mean of the weights over time, as it is kept to be used."""
    torch.manual_seed(6)
    model = LanguageModel(width=96, depth=2, heads=4)
    training = Training(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), 450)
    training.run(150, lambda _: 0.3)
    means = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for step in range(300):
        training.run(1, lambda _: 0.3)
        for name, tensor in model.state_dict().items():
            means[name].lerp_(tensor, 0.01)
        if step % 50 == 49:
            corpus.add("lm-momentum", "safetensors", with_state(model, training.optimiser, "momentum_buffer"))
            corpus.add("lm-ema", "safetensors", safetensors(means))


def make_lora(corpus, _):
    """What is learned beside a frozen model, alone."""
    torch.manual_seed(7)
    model = LanguageModel(width=144, depth=3, heads=6)
    Training(model, torch.optim.AdamW(model.parameters()), 150).run(150, lambda _: 1e-3)
    model.requires_grad_(False)
    for block in model.blk:
        block.qkv, block.o, block.up, block.dn = map(LowRank, (block.qkv, block.o, block.up, block.dn))
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    training = Training(model, torch.optim.AdamW(learned), 150)
    for _ in range(6):
        training.run(25, lambda _: 1e-3)
        corpus.add("lora", "safetensors", safetensors(
            {name: tensor for name, tensor in model.state_dict().items() if name.endswith((".a", ".b"))}))


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


def make_telemetry(corpus, args):
    """A sample every 50 ms, six versions, each the whole file so far."""
    names = list(sample())
    rows = ["ts," + ",".join(names)]
    lines = []
    begin = time.time()
    for number in range(args.seconds * 20):
        time.sleep(max(0.0, begin + number / 20 - time.time()))
        now, values = time.time(), sample()
        rows.append(f"{now:.3f}," + ",".join(str(values[name]) for name in names))
        if number % 2 == 0:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
            lines.append(json.dumps({"ts": stamp, "node": "edge-07", "seq": number // 2, "m": values}))
        if (number + 1) * 6 % (args.seconds * 20) < 6:
            corpus.add("telemetry-csv", "csv", ("\n".join(rows) + "\n").encode())
            corpus.add("telemetry-jsonl", "jsonl", ("\n".join(lines) + "\n").encode())


# ---- what is asked for ----

RUNS = (  # families that come of one run, and what makes them
    (("cnn-sgd", "finetune-frozen"), make_cnn),
    (("onnx", "pt"), make_small_cnn),
    (("lm-adam",), make_lm_adam),
    (("lm-bf16", "fp16", "int8", "gguf-q8"), make_lm),
    (("telemetry-csv", "telemetry-jsonl"), make_telemetry),
)
MORE = (  # only when they are asked for
    (("lm-lion",), make_lm_lion),
    (("lm-momentum", "lm-ema"), make_lm_momentum),
    (("lora",), make_lora),
)


def families_of(runs):
    return [family for families, _ in runs for family in families]


def warn_of_slow_blas():
    mapped = pathlib.Path("/proc/self/maps").read_text()
    if plain := re.search(r"/\S*/blas/libblas\.so\S*", mapped):
        print(f"{plain[0]} is Debian's plain BLAS, with which the language models take ten times as long; "
              "apt-get install libopenblas0-pthread replaces it", file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=pathlib.Path, metavar="OUTDIR")
    families, more = families_of(RUNS), families_of(MORE)
    parser.add_argument("--family", action="append", choices=families + more, metavar="NAME",
                        help=f"may be repeated; default: {', '.join(families)}; others: {', '.join(more)}")
    parser.add_argument("--digits", default=DIGITS, help="digits.csv.gz of scikit-learn")
    parser.add_argument("--seconds", type=int, default=240, help="how long telemetry is taken")
    args = parser.parse_args()
    args.family = args.family or families
    if {"cnn-sgd", "finetune-frozen", "onnx", "pt"} & set(args.family) and not pathlib.Path(args.digits).exists():
        parser.error(f"{args.digits} is missing: --help tells how to get it, or choose others with --family")
    for family in args.family:
        if (args.outdir / family).exists():
            parser.error(f"{args.outdir / family} is there already: remove it, or choose others with --family")
    return args


def main():
    args = parse_arguments()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    warn_of_slow_blas()
    corpus = Corpus(args.outdir, args.family)
    for families, make in RUNS + MORE:
        if wanted := [family for family in families if family in args.family]:
            print(", ".join(wanted), flush=True)
            begin = time.monotonic()
            make(corpus, args)
            print(f"  {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
