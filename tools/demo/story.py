#!/usr/bin/env python3
"""The demo's story. Every sentence it prints is checked before it is printed; the first that does not hold ends it.

usage: story.py [--keep] [--arch ARCH,...]      (after the programs were built; tools/demo.sh does both)
"""
import argparse
import filecmp
import os
import shutil
import stat
import sys
import time

from fleet import BIN, HOME, ROOT, SANITIZED, Board, Broken, Fleet, wait_for

DATA = ROOT / "tests/data"
CHECKPOINTS = sorted((DATA / "cnn-sgd").glob("v*.safetensors"))
TELEMETRY = sorted((DATA / "telemetry-csv").glob("v*.csv"))
BOARDS = ("trainer", "sensor", "camera")

started = time.monotonic()
chapter_number = 2  # dependencies and build came first


def chapter(title):
    global chapter_number
    chapter_number += 1
    print(f"\n== {chapter_number}. {title}", flush=True)


def hold(claim, truth):
    """One claim, checked."""
    if not truth:
        raise Broken(claim)
    print(f"   {'ok':4}{claim}", flush=True)


def megabytes(count):
    return f"{count / 1e6:.2f} MB"


def record_while_the_link_is_down(trainer, sensor):
    chapter("Record: the sensor its telemetry, the trainer its checkpoints; the trainer's link is down")
    trainer.link_down()
    data_ids, model_ids = [], []
    for path in TELEMETRY:
        shutil.copy(path, HOME / "telemetry.csv")
        data_ids.append(sensor.commit("plant/telemetry", HOME / "telemetry.csv", "-m", f"telemetry {path.stem}"))
    for path, data_id in zip(CHECKPOINTS, data_ids):
        shutil.copy(path, HOME / "checkpoint.safetensors")
        model_ids.append(trainer.commit("vision/digits", HOME / "checkpoint.safetensors", "-m", f"checkpoint {path.stem}",
                                        "--input", f"train_data={data_id}"))
    for board in (trainer, sensor):
        (HOME / f"{board.name}.txt").write_text(f"notes of {board.name}\n")
        board.commit("fleet/notes", HOME / f"{board.name}.txt", "-m", f"notes of {board.name}")
    hold("six telemetry versions and six checkpoints have their ids", len(set(data_ids + model_ids)) == 12)
    hold("the trainer could not send, and keeps all seven versions for later",
         trainer.status()["pending_versions"] == 7)
    return data_ids, model_ids


def sync(boards, trainer, sensor):
    chapter("Sync: the link comes back, only what changed goes over it")
    trainer.link_up()
    for board in (trainer, sensor):
        wait_for(f"{board.name} has its receipt", board.synced)
        hold(f"the hub's sealed receipt covers everything on the {board.name}", board.synced())
    raw = sum(path.stat().st_size for path in CHECKPOINTS)
    sent, _ = trainer.wire()
    hold(f"six checkpoints of {megabytes(raw)} took {megabytes(sent)} on the wire, {sent / raw:.1%} (at most 70 %)",
         sent <= 0.70 * raw)
    return raw, sent


def unite(fleet, data_ids, model_ids):
    chapter("Unite: the hub folds both boards' branches into one, and knows what came from what")
    merged = wait_for("the hub folds fleet/notes", lambda: fleet_merge(fleet))
    hold("main of fleet/notes holds the files of both boards",
         sorted(file["path"] for file in merged["files"]) == ["sensor.txt", "trainer.txt"])
    lineage = fleet.cli("lineage", model_ids[-1], "--up")
    edges = {(edge["from"], edge["kind"], edge["to"]) for edge in lineage["edges"]}
    hold("the newest checkpoint comes from the one before it", (model_ids[-1], "parent", model_ids[-2]) in edges)
    hold("it was trained on the newest telemetry", (model_ids[-1], "used", data_ids[-1]) in edges)
    hold("which the board 'sensor' recorded", (data_ids[-1], "recorded_by", "sensor") in edges)
    print("\n" + "\n".join("      " + line for line in
                           fleet.cli("log", "vision/digits/device/trainer/main", as_json=False).splitlines()))


def fleet_merge(fleet):
    repos = {repo["name"]: {ref["name"] for ref in repo["refs"]} for repo in fleet.cli("repo", "list")["repos"]}
    if "main" not in repos.get("fleet/notes", ()):
        return None
    version = fleet.cli("show", "fleet/notes")
    return version if len(version["files"]) == 2 else None


def roll_out(fleet, boards, key, version, content, expect_state, title):
    """Approve, assign to all, wait until each board says how it went; bytes that each received meanwhile."""
    before = {board.name: board.wire()[1] for board in boards}
    fleet.cli("approve", version, "--key", key)
    fleet.cli("rollout", "start", version, "--model", "digits")

    def all_done():
        rows = {row["device"]: row for row in fleet.cli("rollout", "show")["deployments"]}
        return rows if all(rows[board.name]["wanted"] == version and rows[board.name]["state"] == expect_state
                           for board in boards) else None

    rows = wait_for(title, all_done)
    for board in boards:
        hold(f"{board.name}: {expect_state}, and runs {content.stem} byte for byte",
             filecmp.cmp(board.model_file(), content, shallow=False))
    received = {board.name: board.wire()[1] - before[board.name] for board in boards}
    return rows, received


def back_to_the_boards(fleet, boards, key, model_ids):
    fresh = [board for board in boards if board.name != "trainer"]
    size = CHECKPOINTS[4].stat().st_size

    chapter("Approve v05 and roll it out: whole to the boards that hold no base")
    denied = [line for line in (fleet.cli("rollout", "start", model_ids[4], "--model", "digits", as_json=False, expect=4),)]
    hold("without an approval the hub refuses (exit code 4)", denied == [""])
    _, whole = roll_out(fleet, boards, key, model_ids[4], CHECKPOINTS[4], "committed", "all boards run v05")
    hold(f"the trainer has it already and received {megabytes(whole['trainer'])}", whole["trainer"] < 0.1 * size)

    chapter("Approve v06 and roll it out: as a delta against what each board runs")
    _, delta = roll_out(fleet, boards, key, model_ids[5], CHECKPOINTS[5], "committed", "all boards run v06")
    for board in fresh:
        share = delta[board.name] / size
        hold(f"{board.name} received {megabytes(delta[board.name])} of {megabytes(size)}, {share:.1%} (at most 65 %)",
             share <= 0.65)
    return whole, delta


def go_back(fleet, boards, trainer, key):
    chapter("Roll out a version whose health command fails: every board goes back by itself")
    (HOME / "checkpoint.safetensors").write_bytes(b"\0" * 4096)
    bad = trainer.commit("vision/digits", HOME / "checkpoint.safetensors", "-m", "a checkpoint gone wrong")
    wait_for("the bad version reaches the hub", trainer.synced)
    roll_out(fleet, boards, key, bad, CHECKPOINTS[5], "rolled_back", "all boards went back")


def restore_everything(fleet, trainer, sensor, data_ids, model_ids):
    chapter("Restore everything, from the boards and from the hub, and compare byte by byte")
    for board, ids, originals, name in ((trainer, model_ids, CHECKPOINTS, "checkpoint.safetensors"),
                                        (sensor, data_ids, TELEMETRY, "telemetry.csv")):
        for number, (version, original) in enumerate(zip(ids, originals)):
            board.agent("restore", version, "--to", HOME / f"restored/{board.name}-{number}")
            fleet.cli("fetch", version, "--to", HOME / f"fetched/{board.name}-{number}")
            for place in ("restored", "fetched"):
                if not filecmp.cmp(HOME / f"{place}/{board.name}-{number}/{name}", original, shallow=False):
                    raise Broken(f"{place} {original.name} differs from what was committed")
        hold(f"all six versions of {board.name} are byte-identical, restored there and fetched from the hub", True)
        board.agent("fsck", "--data")
    fleet.cli("fsck", "--data")
    hold("every stored byte on both boards and the hub passes its checks", True)


def closing_table(boards, raw, sent, whole, delta):
    chapter("What it took")
    rows = [("board", "recorded", "stored", "sent", "whole push", "delta push", "peak RSS")]
    for board in boards:
        status = board.status()
        rows.append((board.name, megabytes(status["recorded_bytes"]), megabytes(status["stored_bytes"]),
                     megabytes(board.wire()[0]), megabytes(whole[board.name]), megabytes(delta[board.name]),
                     f"{board.peak_rss_bytes() / 2**20:.1f} MiB" + (f" ({board.arch}, emulated)" if board.arch else "")))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("      " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(f"\n      checkpoints: {megabytes(raw)} recorded, {megabytes(sent)} sent ({sent / raw:.1%});"
          f" {time.monotonic() - started:.0f} s since the build")
    for board in boards:
        if SANITIZED or board.arch:
            continue  # the sanitizer's memory, or the emulator's
        rss = board.peak_rss_bytes()
        hold(f"the agent of {board.name} never took more than {rss / 2**20:.1f} MiB (at most 32 MiB)", rss <= 32 * 2**20)


def keep_running(fleet, boards):
    names = {"TRIBUTARY_HUB": fleet.hub_url, "TRIBUTARY_CA": fleet.ca, "HUB_CONFIG": fleet.hub_home / "hub.toml",
             "HUB_STATE": fleet.hub_home / "state", "BROKER_CONFIG": fleet.hub_home / "broker/mosquitto.conf",
             "BROKER_URL": f"mqtts://127.0.0.1:{fleet.broker_port}",
             "APPROVER_KEY": HOME / "approver.pem", "BIN": BIN}
    for board in boards:
        upper = board.name.upper()
        names |= {f"{upper}_CONFIG": board.config, f"{upper}_STATE": board.home / "state",
                  f"{upper}_SOCKET": board.home / "state/agent.sock"}
    names["PIDS"] = " ".join(str(process.pid) for process in fleet.processes.values())
    (HOME / "env").write_text("".join(f'{name}="{value}"\n' if " " in str(value) else f"{name}={value}\n"
                                      for name, value in names.items()))
    print(f"""
All of it stays up. To look at it:
    set -a; . {HOME}/env; set +a
    $BIN/tributary device list
    $BIN/tributary log vision/digits/device/trainer/main
    $BIN/tributary-agent --config $CAMERA_CONFIG status
To end it:
    kill $PIDS""")


def tell(fleet, architectures):
    chapter("Make a secured hub, start it with its broker, and let three boards enrol, each behind a link of its own")
    key = HOME / "approver.pem"
    fleet.cli("key", key)
    health = HOME / "health.sh"
    # A safetensors file begins with eight bytes of length and then JSON; what does not cannot serve.
    health.write_text('#!/bin/sh\n[ "$(head -c 9 "$TRIBUTARY_MODEL_DIR/checkpoint.safetensors" | tail -c 1)" = "{" ]\n')
    health.chmod(health.stat().st_mode | stat.S_IXUSR)
    fleet.start_hub(key)
    hold("one command made keys, certificates and a root document, and started hub and broker", True)
    boards = [Board(fleet, name, health, arch)
              for name, arch in zip(BOARDS, architectures + [None] * len(BOARDS))]
    trainer, sensor, _ = boards
    for board in boards:
        board.link_up()
        board.enroll()
        board.start()
    wait_for("all boards are known to the hub",
             lambda: {device["id"] for device in fleet.cli("device", "list")["devices"]} >= set(BOARDS))
    hold("each board enrolled with a token of its own: it has a certificate, and pinned the root document", True)
    for board in boards:
        if board.arch:
            print(f"       the board '{board.name}' is {board.arch}, under QEMU")

    data_ids, model_ids = record_while_the_link_is_down(trainer, sensor)
    raw, sent = sync(boards, trainer, sensor)
    unite(fleet, data_ids, model_ids)
    whole, delta = back_to_the_boards(fleet, boards, key, model_ids)
    go_back(fleet, boards, trainer, key)
    restore_everything(fleet, trainer, sensor, data_ids, model_ids)
    closing_table(boards, raw, sent, whole, delta)
    return boards


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--arch", type=lambda words: words.split(","), default=[])
    options = parser.parse_args()
    fleet = Fleet()
    try:
        boards = tell(fleet, options.arch)
        print("\nEvery claim held.")
        if options.keep:
            keep_running(fleet, boards)
            fleet.processes.clear()
    except Broken as broken:
        print(f"\nBROKEN: {broken}\nThe logs are in {HOME}/*.log", file=sys.stderr)
        return 1
    finally:
        fleet.stop_all()
    findings = fleet.sanitizer_findings()
    print("\n".join(findings), end="", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    os.environ.pop("TRIBUTARY_HUB", None)
    sys.exit(main())
