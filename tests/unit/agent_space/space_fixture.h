// A board's store in small segments, versions in it, and the word of a hub about them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/space/space_keeper.h"
#include "agent/sync/sync_state.h"
#include "agent/update/state.h"
#include "common/store/state_file.h"
#include "common/trust/seal.h"
#include "tests/support/fake_trust.h"
#include "tests/support/store_builder.h"

namespace tributary::agent {

class SpaceTest : public testing::Test {
protected:
    static constexpr std::uint64_t kSegment = 16 * 1024;

    SpaceTest() {
        machine.options.segment_bytes = kSegment;
        config.state_dir = "/data";
        config.store.keep_versions = 2;
        store = machine.open().value();
    }

    // Of one file, which shares nothing with any other.
    VersionId record(const std::string& branch = "main", std::size_t bytes = 6000) {
        machine.clock.advance(1000);
        const auto item =
            test::stage_file(*store, "w.bin", test::Random(++recorded).bytes(bytes), {}, 4096);
        const auto id = test::commit_version(*store, "lab/model", branch, {item.value()});
        EXPECT_TRUE(id) << id.error().what;
        all.push_back(id.value());
        return all.back();
    }
    void record_many(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) record();
    }

    void go_on_in_a_new_journal() {
        StartBody body = test::start_body();
        body.continues = store->head().incarnation;
        body.continues_sequence = store->head().sequence;
        body.continues_hash = store->head().hash;
        ASSERT_TRUE(store->start_journal(std::move(body)));
        ASSERT_TRUE(store->commit());
    }

    // The hub's word that it has all that is here now.
    Receipt receipt() {
        Receipt said;
        said.device = "board";
        said.incarnation = said.hub = store->head().incarnation;
        said.sequence = said.hub_sequence = store->head().sequence;
        said.head = said.hub_head = store->head().hash;
        said.epoch = 1;
        return said;
    }
    void log(const Receipt& said) {
        trust::FakeSigner hub("hub");
        const auto document =
            trust::sign_document(hub, trust::kReceiptPurpose, encode_receipt(said).value());
        ASSERT_TRUE(store->stage_object(RecordKind::receipt, document.value()));
        ASSERT_TRUE(store->commit());
    }

    void save_installs(const InstallerState& state) {
        auto file = StateFile::open(machine.files, config.install_path());
        ASSERT_TRUE(file);
        ASSERT_TRUE(file->save(encode_installer_state(state)));
    }
    void begin_download() {
        rollout::Install install;
        install.number = 1;
        install.model = "model";
        install.version = {sha256(as_bytes("on its way"))};
        install.state = rollout::InstallState::downloading;
        InstallerState state;
        state.installs = {install};
        save_installs(state);
    }
    void save_sync(const SyncState& state) {
        ASSERT_TRUE(save_sync_state(machine.files, config.sync_path(), state));
    }

    SpaceKeeper keeper(std::uint64_t quota_bytes = 0) {
        return {machine.files, machine.clock, *store, config, {quota_bytes, kSegment}};
    }
    Retention surveyed() {
        auto space = keeper();
        const auto found = space.survey();
        EXPECT_TRUE(found) << found.error().what;
        return found.value_or(Retention{});
    }
    bool is_readable(const VersionId& id) { return test::read_files(*store, id).has_value(); }
    std::uint64_t stored() { return store->counters().stored_bytes; }

    test::StoreMachine machine;
    Config config;
    std::unique_ptr<Store> store;
    std::vector<VersionId> all;
    std::uint64_t recorded = 0;
};

}  // namespace tributary::agent
