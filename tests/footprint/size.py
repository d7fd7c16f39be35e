"""What a program takes on disk: its sections, its parts, the libraries it needs. Reads ELF files of any architecture with
binutils' readelf; nothing is run."""
import re
import subprocess
from pathlib import Path

# What Debian calls minimal: every package of priority `required`, apt, and what these depend on.
STATUS = Path("/var/lib/dpkg/status")


def readelf(option, path):
    return subprocess.run(["readelf", option, str(path)], capture_output=True, text=True, check=True).stdout


def sections(path):
    """Name to bytes, of what is loaded from the file."""
    found = re.findall(r"^\s*\[ *\d+\] (\.\S+)\s+(\S+)\s+\S+ \S+ (\S+) \S+ +(\S*A\S*)", readelf("-SW", path), re.M)
    return {name: int(size, 16) for name, kind, size, _ in found if kind != "NOBITS"}


def stripped_bytes(path):
    """Of the file as it is installed: without its symbols and what a debugger needs."""
    dropped = re.findall(r"^\s*\[ *\d+\] (?:\.symtab|\.strtab|\.debug\S*)\s+\S+\s+\S+ \S+ (\S+)", readelf("-SW", path), re.M)
    return Path(path).stat().st_size - sum(int(size, 16) for size in dropped)


# ---- libraries ----

def triple_of(path):
    machine = re.search(r"Machine:\s+(.*)", readelf("-hW", path)).group(1)
    return {"Advanced Micro Devices X86-64": "x86_64-linux-gnu", "AArch64": "aarch64-linux-gnu",
            "ARM": "arm-linux-gnueabihf"}[machine.strip()]


def library_path(name, triple, root):
    for folder in (f"usr/lib/{triple}", f"lib/{triple}", "lib", "lib64"):
        path = Path(root) / folder / name
        if path.exists():
            return path.resolve()
    raise FileNotFoundError(f"{name} of {triple} is not below {root}; name the root it was built against with --root")


def needed_libraries(program, root="/"):
    """Name to path, of all libraries it loads at its start, over every step."""
    triple, found, open_ones = triple_of(program), {}, [Path(program)]
    while open_ones:
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-dW", open_ones.pop())):
            if name not in found:
                found[name] = library_path(name, triple, root)
                open_ones.append(found[name])
    return found


def minimal_packages(root="/"):
    """Names of the packages of a minimal Debian (`debootstrap --variant=minbase`), from the package database below `root`."""
    needs, start = {}, {"apt"}
    for stanza in (Path(root) / STATUS.relative_to("/")).read_text(errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Priority|Depends|Pre-Depends|Essential): (.*)$", stanza, re.M))
        if "Package" not in fields:
            continue
        words = ", ".join(fields.get(key, "") for key in ("Depends", "Pre-Depends"))
        needs[fields["Package"]] = {re.split(r"[ :(|]", word.strip())[0] for word in words.split(",") if word.strip()}
        if fields.get("Priority") == "required" or fields.get("Essential") == "yes":
            start.add(fields["Package"])
    done, open_ones = set(), list(start)
    while open_ones:
        name = open_ones.pop()
        if name not in done:
            done.add(name)
            open_ones.extend(needs.get(name, ()))
    return done


def package_of(path, root="/"):
    """Debian's package that owns the file, or none."""
    inside = "/" + str(Path(path).relative_to(Path(root).resolve()))
    for name in (inside, inside.removeprefix("/usr")):
        done = subprocess.run(["dpkg", "--root", str(root), "-S", name], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return None


def libraries(program, root="/"):
    minimal = minimal_packages(root)
    out = []
    for name, path in needed_libraries(program, root).items():
        package = package_of(path, root)
        out.append({"name": name, "package": package, "bytes": path.stat().st_size, "in_minimal_debian": package in minimal})
    return sorted(out, key=lambda library: (library["in_minimal_debian"], -library["bytes"]))


# ---- parts ----

MERGED = "(unwind tables, merged strings)"  # the linker books them on the first object, which is the C library's

def part_of(file):
    """`common/codec/libcodec.a(planes.o)` or `…/CMakeFiles/tributary-agent.dir/main.cpp.o` to its part's folder."""
    own = re.search(r"(?:^|/)((?:common|agent|hub)(?:/[\w-]+)*)/lib[\w-]+\.a", file)
    if own:
        return own.group(1)
    library = re.search(r"lib([\w+.-]+?)(?:_nonshared)?\.a", file)
    if library:
        return "lib" + library.group(1)
    main = re.search(r"(?:^|/)(agent|hub)/", file)
    return main.group(1) if main else MERGED


def parts(map_file):
    """Part to bytes loaded from the file, from the linker's map. What several parts share (a template of the standard library) counts
    for the first that has it."""
    text = Path(map_file).read_text(errors="replace")
    text = text[text.index("Linker script and memory map"):]
    sizes = {}
    # " .text._ZN… 0xADDRESS 0xSIZE FILE", the name often on a line of its own
    for name, size, file in re.findall(r"^ (\.[\w.$]\S*|COMMON)\s+0x[0-9a-f]+ +0x([0-9a-f]+) (\S+)$", text, re.M):
        if name.startswith((".debug", ".comment", ".bss", ".tbss", ".note", ".symtab", ".strtab")) or name == "COMMON":
            continue
        part = part_of(file)
        sizes[part] = sizes.get(part, 0) + int(size, 16)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
