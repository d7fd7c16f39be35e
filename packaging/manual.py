#!/usr/bin/env python3
"""Manual pages and bash completion, made from what the programs answer to --help.

usage: manual.py BIN_DIR           writes packaging/man and packaging/completion
       manual.py BIN_DIR --check   exits 1 when what lies there is something else (tests/packages)

The tree of verbs and options has one source, the programs; FURTHER below adds what --help has no room for.
"""
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE_TYPES = ("FILE", "DIR", "PATH")  # completed by the names of files

EXIT_STATUS = """\
0  done
1  error; also damage found by fsck, and a store that another program holds
2  usage: an option, a reference or a configuration that cannot be read so
3  conflict: something changed meanwhile or is there already, or boards differ and a person must choose
4  refused by a gate or policy
5  hub or broker out of reach
6  erased"""

# program: (what it is, sections of paragraphs; lines "A  B" become a list)
FURTHER = {
    "tributary-agent": ("records data and models on a board, and installs approved ones", {
        "The service": [
            "The package runs it as the systemd unit tributary-agent.service, as user tributary-agent. The unit does nothing as "
            "long as /etc/tributary/agent.toml holds comments alone. Once that file is edited: systemctl start tributary-agent. "
            "Run by root, every verb acts as the owner of state_dir; while the service runs, it does the verb itself.",
            "The service may read what user tributary-agent may read, and write to its state_dir, /tmp and /var/tmp. A health "
            "command has the same rights: no other capability than CAP_LEASE, no device but the harmless ones, no new "
            "privileges. More is given by a drop-in (systemctl edit tributary-agent), for instance:",
            "SupplementaryGroups=camera  to read a watched folder of that group\n"
            "ReadWritePaths=/srv/models  for a model with another dir, or to restore to there\n"
            "PrivateDevices=no  with SupplementaryGroups=render: for a health command that needs an accelerator",
            "A program that uses a model reads STATE_DIR/models/NAME/current as a member of the group tributary-agent.",
        ],
        "Signals": ["SIGTERM and SIGINT end the daemon within a second or two; any other end, SIGKILL and a power cut too, loses "
                    "nothing that was acknowledged."],
        "Files": ["/etc/tributary/agent.toml  the configuration; tributary-agent init writes one in which every key is explained\n"
                  "/var/lib/tributary-agent  what the package's configuration keeps: store, key, models. It stays when the "
                  "package is removed or purged, for it may be the only copy"],
        "Environment": ["NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID  as of sd_notify(3), set by systemd\n"
                        "TRIBUTARY_MODEL, TRIBUTARY_MODEL_DIR, TRIBUTARY_REPO, TRIBUTARY_VERSION, TRIBUTARY_CONTENT  "
                        "set for a health command"],
        "See also": ["tributary(1), tributary-hub(1)"],
    }),
    "tributary-hub": ("unites the histories of a fleet of boards", {
        "The service": [
            "The package runs it as the systemd unit tributary-hub.service, as user tributary-hub. The unit does nothing as long "
            "as /etc/tributary/hub.toml holds comments alone. Once that file is edited: systemctl start tributary-hub. It needs "
            "an MQTT broker that the boards reach; a secured hub runs one itself.",
        ],
        "A secured hub": [
            "tributary-hub up DIR makes the folder DIR, unless there is a hub in it, and runs that hub with its broker, mosquitto 2.0.11 "
            "or newer. init only makes it. Boards enrol with a token; everything goes over TLS; the broker knows each board by its "
            "certificate. Run it as the user whom the folder is to belong to, not as root.",
            "hub.toml  the configuration: tributary-hub --config DIR/hub.toml run does what up does\n"
            "master.key  opens the private keys in trust and state. Keep a copy apart from the backups; or hand it over as the "
            "systemd credential tributary-master instead and remove the line master_key\n"
            "trust  root documents, the authority that issues certificates, and the hub's own\n"
            "state  state_dir\n"
            "broker  what the broker reads; its private key is not encrypted\n"
            "take-away  root keys, and approvers' if any were made, encrypted with the passphrase that init showed or was given. "
            "Take them away",
            "The root document says whom boards trust: root keys, approvers, the hub, the authority. A change is drafted by root next, "
            "signed by as many holders of root keys as the document before asks for with root sign, and put in force by root publish: "
            "a hub that runs takes it within seconds, and boards take it by themselves. With too few root keys left, no change is possible: every board would "
            "have to enrol again with a new hub.",
            "Another authority takes two documents. root next --new-authority names it beside the one of now: boards renew under it "
            "within a day of following the document. root show DIR says how many still hold a certificate of which one. When none "
            "is left: root next --drop-authority. Until then that is refused; with --force the broker refuses the boards that are "
            "left until they have renewed at the boards' door, which they do by themselves.",
        ],
        "Backup and restore": [
            "backup may run beside the hub, and copies only what is new. Until it has ended well the backup before stays usable. "
            "What it holds: the log, the configuration as hub.toml, and, unless --without-key is given, the hub's private key, so "
            "it must be kept as safe as the hub. What it does not hold: certificates and approvers' keys that the configuration "
            "names. Run by root, both verbs act as the owner of state_dir, who must be able to read and write DIR.",
            "After a restore the boards offer again what they still hold; tributary device show names what they do not. Approvals, "
            "tags, aliases and assignments made since the backup are to be made again. No second hub with the same key may run.",
        ],
        "Signals": ["SIGTERM and SIGINT end it in good order; any other end loses nothing that was acknowledged."],
        "Files": ["/etc/tributary/hub.toml  the configuration\n"
                  "/var/lib/tributary-hub  what the package's configuration keeps: log, index, keys. It stays when the package "
                  "is removed or purged"],
        "Environment": ["NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID  as of sd_notify(3), set by systemd"],
        "See also": ["tributary(1), tributary-agent(1)"],
    }),
    "tributary": ("looks at the boards' histories on a hub, and decides what runs where", {
        "References": [
            "A REF is an id (sha256:... or its first digits, at least 4), GROUP/NAME (its branch main, or its only one), or "
            "GROUP/NAME/REF with REF a branch, tags/NAME, @ALIAS or device/ID/BRANCH. After it may stand ~N (N steps back), ^N (the "
            "Nth parent of a merge) or @{TIME} (what it named then).",
        ],
        "Environment": ["TRIBUTARY_HUB  URL of the hub, unless --hub names one",
                        "TRIBUTARY_CA  PEM file of the authority of an https:// hub, unless --ca names one"],
        "Files": ["$XDG_CONFIG_HOME/tributary/profile.toml  its line hub = \"URL\" names the hub, and ca = \"FILE\" its authority, when nothing else does "
                  "(~/.config when XDG_CONFIG_HOME is not set)"],
        "See also": ["tributary-agent(1), tributary-hub(1)"],
    }),
}


@dataclass
class Entry:
    """A line of --help: an option, a positional or a verb."""
    spec: str
    text: str

    @property
    def names(self):
        """-m,--message TEXT -> [-m, --message]; --up{up},--down{down} -> [--up, --down]"""
        return re.findall(r"(?<![\w-])--?\w[\w-]*", re.sub(r"\{[^}]*\}", "", self.spec.split(" ")[0]))

    @property
    def value(self):
        """What follows the option; empty for a flag."""
        rest = self.spec.split(" ")[1:]
        return "" if not rest or rest[0] in ("REQUIRED", "Excludes:") else rest[0]

    @property
    def choices(self):
        found = re.search(r"\{(.*)\}", self.value)
        return found.group(1).split(",") if found else []


@dataclass
class Verb:
    words: list  # from the program on
    text: str = ""
    usage: str = ""
    footer: str = ""
    positionals: list = field(default_factory=list)
    options: list = field(default_factory=list)
    verbs: list = field(default_factory=list)

    @property
    def path(self):
        return " ".join(self.words[1:])

    def all_verbs(self):
        for verb in self.verbs:
            yield verb
            yield from verb.all_verbs()


def read_help(bin_dir, words):
    answer = subprocess.run([str(bin_dir / words[0]), *words[1:], "--help"], capture_output=True, text=True, check=True)
    verb, section, below = Verb(words), None, []
    for line in answer.stdout.splitlines():
        if line.startswith("Usage: "):
            verb.usage = line.removeprefix("Usage: ")
        elif line in ("Options:", "Positionals:", "Subcommands:"):
            section = {"O": verb.options, "P": verb.positionals, "S": below}[line[0]]
        elif line.startswith("  ") and section is not None:
            spec, _, text = line.strip().partition("  ")
            if line.startswith("   ") and section:  # of the entry above, whose name left no room
                section[-1].text = (section[-1].text + " " + line.strip()).strip()
            else:
                section.append(Entry(spec, text.strip()))
        elif not verb.usage:
            verb.text = (verb.text + " " + line).strip()
        elif line:
            section = None
            verb.footer = (verb.footer + " " + line).strip()
    verb.verbs = [read_help(bin_dir, words + [entry.spec]) for entry in below]
    return verb


# ---- the manual page, in the macros of man(7) ----

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def tagged(tag, text):
    return [".TP", f".B {roff(tag)}", roff(text)]


def paragraphs(texts):
    lines = []
    for text in texts:
        rows = [row.split("  ", 1) for row in text.split("\n")]
        if all(len(row) == 2 for row in rows):
            for tag, what in rows:
                lines += tagged(tag, what)
        else:
            lines += [".PP", roff(text)]
    return lines


def entries(some):
    lines = []
    for entry in some:
        if "--help" not in entry.names:
            spec, _, excluded = entry.spec.partition(" Excludes: ")
            text = entry.text + (f"; not with {excluded}" if excluded else "")
            lines += tagged(spec.replace(" REQUIRED", " (required)").replace(",-", ", -"), text)
    return lines


def manual_page(program):
    name = program.words[0]
    what, further = FURTHER[name]
    lines = ['.\\" Made by packaging/manual.py from --help: change the program, not this file.',
             f'.TH {name.upper()} 1 "" "Tributary" "User commands"',
             ".SH NAME", f"{roff(name)} \\- {roff(what)}",
             ".SH SYNOPSIS", f".B {roff(name)}", "[options] verb [arguments]",
             ".SH DESCRIPTION", roff(program.text),
             ".SH OPTIONS", "Each verb also takes", ".BR \\-\\-help ."]
    lines += entries(program.options)
    lines += [".SH VERBS"]
    for verb in program.all_verbs():
        if verb.verbs:
            continue
        lines += [f".SS {roff(verb.path)}", roff(verb.text) + ".", ".PP",
                  f".B {roff(verb.usage.replace(' [OPTIONS]', ' [options]'))}"]
        lines += entries(verb.positionals) + entries(verb.options)
    if program.footer and not program.footer.startswith("Exit codes"):
        lines += [".PP", roff(program.footer)]
    lines += [".SH EXIT STATUS", *paragraphs([EXIT_STATUS])]
    for title, texts in further.items():
        lines += [f".SH {title.upper()}", *paragraphs(texts)]
    return "\n".join(lines) + "\n"


# ---- completion ----

def names_of(options):
    return " ".join(name for entry in options for name in entry.names)


def completion(program):
    name = program.words[0]
    every = [program, *program.all_verbs()]
    valued = {n: entry for verb in every for entry in verb.options if entry.value for n in entry.names}
    files = sorted(n for n, entry in valued.items() if entry.value in FILE_TYPES)
    chosen = {n: entry.choices for n, entry in valued.items() if entry.choices}
    others = sorted(set(valued) - set(files) - set(chosen))
    steps = "|".join(f'"{" ".join(verb.words[1:])}"' for verb in program.all_verbs())
    function = "_" + name.replace("-", "_")
    out = [f"# bash completion of {name}; made by packaging/manual.py from --help: change the program, not this file.",
           f"{function}() {{",
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= next i",
           "    COMPREPLY=()",
           "    for ((i = 1; i < COMP_CWORD; i++)); do",
           f"        case ${{COMP_WORDS[i-1]}} in {'|'.join(sorted(valued))}) continue ;; esac",
           "        next=\"${verb:+$verb }${COMP_WORDS[i]}\"",
           f"        case $next in {steps}) verb=$next ;; esac",
           "    done",
           "    case $before in"]
    if files:
        out += [f"        {'|'.join(files)}) return ;; # names of files, by default"]
    out += [f"        {n}) COMPREPLY=($(compgen -W \"{' '.join(c)}\" -- \"$word\")); return ;;" for n, c in chosen.items()]
    if others:
        out += [f"        {'|'.join(others)}) compopt +o default 2>/dev/null; return ;; # free text"]
    out += ["    esac",
            "    case $verb in"]
    for verb in every:
        words = " ".join(part for part in (names_of(verb.options), " ".join(v.words[-1] for v in verb.verbs)) if part)
        more = "" if verb is program else f" {names_of(o for o in program.options if '--help' not in o.names)}"
        takes_files = any(p.spec.split(" ")[0] in FILE_TYPES for p in verb.positionals)
        quiet = "" if takes_files else " compopt +o default 2>/dev/null"
        out += [f"        \"{verb.path}\") next=\"{words}{more}\"" + (f";{quiet}" if quiet else "") + " ;;"]
    out += ["    esac",
            "    COMPREPLY=($(compgen -W \"$next\" -- \"$word\"))",
            "}",
            f"complete -o default -F {function} {name}"]
    return "\n".join(out) + "\n"


def main():
    bin_dir, check = Path(sys.argv[1]), "--check" in sys.argv[2:]
    stale = []
    for name in FURTHER:
        program = read_help(bin_dir, [name])
        for path, text in ((HERE / "man" / f"{name}.1", manual_page(program)),
                           (HERE / "completion" / name, completion(program))):
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                stale.append(path.relative_to(HERE.parent))
    for path in stale:
        print(f"{path} is not what --help says now; run packaging/manual.py {sys.argv[1]}")
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
