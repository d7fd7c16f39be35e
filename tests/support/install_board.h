// A board that installs models: a simulated disk, clock and health command, keys that cost nothing,
// and a hub's assignments. Survives its power cuts.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/update/engine.h"
#include "common/trust/seal.h"
#include "tests/support/fake_trust.h"
#include "tests/support/sim_commands.h"
#include "tests/support/store_builder.h"

namespace tributary::test {

struct Model {
    VersionId version;
    TreeId content;
    std::map<std::string, Bytes> files;
};

class InstallBoard {
public:
    static constexpr const char* kDir = "/data/models/defects";

    InstallBoard() {
        config.state_dir = "/data";
        agent::ModelConfig model;
        model.name = "defects";
        model.health = "check";
        model.probation_ms = 10'000;
        model.health_interval_ms = 4'000;
        model.health_timeout_ms = 2'000;
        config.models = {model};
        pins.device = "board-1";
        pins.hub_keys = {hub.public_key()};
        pins.approvers = {alice.public_key(), bob.public_key()};
    }

    // Power on: the store, then the engine, which takes up what was cut short.
    Status boot() {
        engine.reset();
        store.reset();
        TRIBUTARY_ASSIGN(store, machine.open());
        if (store->head().incarnation.is_none()) {
            TRIBUTARY_TRY(store->start_journal(start_body()));
            TRIBUTARY_TRY(store->commit());
        }
        TRIBUTARY_ASSIGN(
            engine,
            agent::InstallEngine::open(
                {machine.files, machine.clock, verifier, commands, config, trust,
                 [this](SecurityEvent event, const std::string&) { refused.push_back(event); }},
                pins));
        return {};
    }

    // A version in the store: a file of several pieces, one that is run, one in a folder.
    Model make_model(std::uint64_t seed) {
        Model model;
        Random random(seed);
        model.files = {{"model.bin", random.bytes(40'000)},
                       {"notes/labels.txt", random.bytes(100)},
                       {"run.sh", random.bytes(50)}};
        const auto item = [&](const std::string& path, const std::string& name) {
            return *stage_file(*store, name, model.files[path]);
        };
        const EncodedTree notes = *encode_tree({item("notes/labels.txt", "labels.txt")});
        EXPECT_TRUE(store->stage_object(RecordKind::tree, notes.nodes.back().bytes));
        TreeItem run = item("run.sh", "run.sh");
        run.type = TreeItem::Type::executable;
        const std::vector<TreeItem> items = {
            item("model.bin", "model.bin"),
            {TreeItem::Type::tree, "notes", notes.id.digest, notes.size},
            run};
        const auto committed = commit_version(*store, "models/defects", "main", items);
        EXPECT_TRUE(committed) << committed.error().what;
        model.version = *committed;
        model.content = read_version(*store, model.version)->tree;
        return model;
    }

    // ---- the hub's side
    Approval approval_of(const Model& model) {
        return {"models/defects",
                model.version,
                model.content,
                "alice",
                {machine.clock.wall().ms, 0, ClockQuality::synced}};
    }
    Assignment assignment_of(const Model& model, std::uint64_t number) {
        Assignment assignment;
        assignment.number = number;
        assignment.device = "board-1";
        assignment.model = "defects";
        assignment.repo = "models/defects";
        assignment.version = model.version;
        assignment.content = model.content;
        assignment.expires = {machine.clock.wall().ms + 3'600'000};
        return assignment;
    }
    static sync::Assign seal(Assignment assignment, const Approval& approval,
                             trust::Signer& assigner, trust::Signer& approver) {
        sync::Assign documents;
        documents.approval =
            *trust::sign_document(approver, trust::kApprovalPurpose, *encode_approval(approval));
        assignment.approval = name_of_plain(RecordKind::document, documents.approval);
        documents.assignment = *trust::sign_document(assigner, trust::kAssignmentPurpose,
                                                     *encode_assignment(assignment));
        return documents;
    }
    sync::Assign assign(const Model& model, std::uint64_t number) {
        return seal(assignment_of(model, number), approval_of(model), hub, alice);
    }

    // ---- time passes
    // Steps until nothing is left to do before something comes from outside, or the disk is gone.
    void run() {
        for (int i = 0; i < 5'000 && powered(); ++i)
            if (!run_one()) return;
    }
    // False: nothing is due, now or later.
    bool run_one() {
        const auto step = engine->step(*store);
        if (step.report) {
            reports.push_back(*step.report);
            Status entered = store->stage_entry(*step.report).map([](const EntryHash&) {});
            if (entered) entered = store->commit();
            engine->reported(entered);
            return true;
        }
        if (!step.next) return false;
        if (*step.next > machine.clock.mono())
            machine.clock.advance(step.next->ms - machine.clock.mono().ms);
        return true;
    }
    bool powered() { return machine.files.stat("/").has_value(); }

    // ---- what to look at
    // The states that the journal reports for an assignment.
    std::vector<std::string> journal(std::uint64_t number) {
        std::vector<std::string> states;
        EXPECT_TRUE(store->read_entries(store->head().incarnation, 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (!entry || entry->header.kind != EntryKind::install) return true;
            const auto body = parse_body(entry->header.kind, entry->body);
            const auto& install = std::get<InstallBody>(*body);
            if (install.number == number) states.push_back(install.state);
            return true;
        }));
        return states;
    }
    // What a consumer finds behind `current`; nullopt when there is no link.
    std::optional<std::map<std::string, Bytes>> current() {
        const std::string link = join_path(kDir, "current");
        if (!machine.files.stat(link)) return std::nullopt;
        std::map<std::string, Bytes> found;
        collect(link, "", found);
        return found;
    }
    bool exists(const std::string& name) {
        return machine.files.stat(join_path(kDir, name)).has_value();
    }

    StoreMachine machine;
    SimCommands commands{machine.clock};
    trust::FakeSigner hub{"hub"}, alice{"alice"}, bob{"bob"}, stranger{"stranger"};
    trust::FakeVerifier verifier;
    agent::Config config;
    agent::Pins pins;
    agent::TrustKeeper* trust = nullptr;  // of an enrolled board
    std::vector<SecurityEvent> refused;
    std::unique_ptr<Store> store;
    std::unique_ptr<agent::InstallEngine> engine;
    std::vector<InstallBody> reports;

private:
    void collect(const std::string& directory, const std::string& prefix,
                 std::map<std::string, Bytes>& found) {
        const auto names = machine.files.list(directory);
        if (!names) {
            found[prefix + "?"] = {};
            return;
        }
        for (const std::string& name : *names) {
            const std::string path = join_path(directory, name);
            const auto status = machine.files.stat(path);
            if (status && status->kind == FileStatus::Kind::directory)
                collect(path, prefix + name + "/", found);
            else
                found[prefix + name] =
                    read_file(machine.files, path, 1 << 20).value_or(Bytes{0xff});
        }
    }
};

}  // namespace tributary::test
