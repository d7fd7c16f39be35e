#include "agent/space/lost_objects.h"

#include <algorithm>

#include "common/store/closure.h"
#include "tests/unit/agent_space/space_fixture.h"

namespace tributary::agent {
namespace {

class LostObjectsTest : public SpaceTest {
protected:
    // A hub that holds what is here now.
    void copy_to_hub() {
        hub = hub_machine.open().value();
        for (const VersionId& id : all)
            ASSERT_TRUE(closure_of(*store, id, {}, [&](const RecordKey& key) {
                return hub->stage_record(store->read_record(key).value());
            }));
        ASSERT_TRUE(hub->commit());
    }
    // Turns a bit of each of these, and has it found.
    void damage(const std::vector<RecordKey>& keys) {
        std::vector<Bytes> frames;
        for (const RecordKey& key : keys) frames.push_back(store->read_record(key).value());
        store.reset();
        const std::string directory = "/data/store/segments/";
        const auto names = machine.files.list(directory);
        for (const std::string& name : names.value()) {
            const Bytes bytes = read_file(machine.files, directory + name, 4 * limits::MiB).value();
            for (const Bytes& frame : frames) {
                const auto found =
                    std::search(bytes.begin(), bytes.end(), frame.begin(), frame.end());
                if (found == bytes.end()) continue;
                const auto at = static_cast<std::size_t>(found - bytes.begin());
                machine.files.flip_bit(directory + name, (at + frame.size() - 6) * 8);
            }
        }
        store = machine.open().value();
        EXPECT_THAT(store->check(true).value(), testing::Not(testing::IsEmpty()));
        EXPECT_GT(store->damaged_records(), 0u);
    }
    // One of each kind that a version needs, of different versions.
    std::vector<RecordKey> some_of_each() {
        std::vector<RecordKey> keys{{RecordKind::version, all[1].digest}};
        const auto tree_of = [&](std::size_t i) {
            return RecordKey{RecordKind::tree, read_version(*store, all[i])->tree.digest};
        };
        keys.push_back(tree_of(3));
        RecordKey piece;
        EXPECT_TRUE(closure_of(*store, all[7], {}, [&](const RecordKey& key) -> Status {
            if (key.kind == RecordKind::piece) piece = key;
            return {};
        }));
        keys.push_back(piece);
        return keys;
    }
    // As the hub's API answers: a small file is a piece, however it is cut there.
    Result<Bytes> at_hub(const RecordKey& key) {
        auto plain = hub->read_plain(key);
        if (plain || key.kind != RecordKind::piece) return plain;
        Bytes file;
        TRIBUTARY_TRY(read_blob(*hub, {key.name}, 6000, [&](ByteView bytes) {
            file.insert(file.end(), bytes.begin(), bytes.end());
            return Status();
        }));
        return file;
    }
    // To the end; `answer` gives what the hub says.
    template <class Answer>
    LostObjects repaired(Answer answer) {
        LostObjects lost(*store);
        for (int step = 0; step < 10'000 && !lost.done(); ++step) {
            const auto wanted = lost.next();
            EXPECT_TRUE(wanted) << wanted.error().what;
            if (!wanted) break;
            if (!*wanted) continue;
            const auto plain = answer(**wanted);
            if (!plain || !lost.bring(**wanted, *plain)) lost.pass_over();
        }
        EXPECT_TRUE(lost.done());
        return lost;
    }

    test::StoreMachine hub_machine{2};
    std::unique_ptr<Store> hub;
};

TEST_F(LostObjectsTest, NothingIsLackingInASoundStore) {
    record_many(10);
    const LostObjects lost = repaired([](const RecordKey&) -> Result<Bytes> {
        ADD_FAILURE() << "nothing is wanted";
        return Bytes();
    });
    EXPECT_EQ(lost.objects_brought(), 0u);
}

TEST_F(LostObjectsTest, BringsBackAllThatTheHubHas) {
    record_many(10);
    copy_to_hub();
    damage(some_of_each());
    const auto readable = [&] {
        return std::ranges::count_if(all, [&](const auto& id) { return is_readable(id); });
    };
    ASSERT_EQ(readable(), 7);

    const LostObjects lost = repaired([&](const RecordKey& key) { return at_hub(key); });

    EXPECT_EQ(lost.objects_brought(), 3u);
    EXPECT_THAT(lost.passed_over(), testing::IsEmpty());
    EXPECT_EQ(readable(), 10);
    store.reset();
    store = machine.open().value();
    EXPECT_EQ(readable(), 10);
}

TEST_F(LostObjectsTest, TakesARecipeThatIsCutOtherwiseThere) {
    record_many(1);
    const Bytes plain = test::Random(77).bytes(limits::kPieceBytesMax + 1000);
    const auto item = test::stage_file(*store, "w.bin", plain, {}, 500'000);
    const VersionId id = test::commit_version(*store, "lab/model", "main", {item.value()}).value();
    hub = hub_machine.open().value();
    (void)test::stage_file(*hub, "w.bin", plain, {}, 400'000).value();
    ASSERT_TRUE(hub->commit());
    const RecordKey recipe{RecordKind::recipe, item->target};
    damage({recipe});
    EXPECT_FALSE(is_readable(id));

    const LostObjects lost = repaired([&](const RecordKey& key) { return at_hub(key); });

    EXPECT_EQ(lost.objects_brought(), 4u);  // the recipe and its three pieces
    EXPECT_TRUE(is_readable(id));
}

TEST_F(LostObjectsTest, BelievesNothingThatIsNotWhatItsNameSays) {
    record_many(10);
    copy_to_hub();
    damage(some_of_each());
    const LostObjects lost = repaired([&](const RecordKey& key) {
        auto plain = at_hub(key);
        if (plain && !plain->empty()) plain->front() ^= 1;
        return plain;
    });
    EXPECT_FALSE(lost.passed_over().empty());
    for (const VersionId& version : lost.passed_over()) EXPECT_FALSE(is_readable(version));
}

TEST_F(LostObjectsTest, AsksForNothingOfWhatWasGivenUp) {
    record_many(10);
    log(receipt());
    {
        auto space = keeper();
        const auto maker = space.make_room({.all = true});
        while (!maker->step().value()) {
        }
    }
    const LostObjects lost = repaired([](const RecordKey&) -> Result<Bytes> {
        ADD_FAILURE() << "nothing is wanted";
        return Bytes();
    });
    EXPECT_EQ(lost.objects_brought(), 0u);
}

}  // namespace
}  // namespace tributary::agent
