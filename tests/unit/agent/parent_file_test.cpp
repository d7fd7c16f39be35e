#include "agent/record/parent_file.h"

#include "common/hash/hash.h"

#include "tests/unit/agent/node_fixture.h"

namespace tributary::agent {
namespace {

// Two tensors of fp32, one after the other, and a note in the header that may be of any length.
Bytes checkpoint(const Bytes& a, const Bytes& b, const std::string& note,
                 const std::string& prefix = "") {
    const std::string end_a = std::to_string(a.size());
    const std::string end_b = std::to_string(a.size() + b.size());
    const auto tensor = [](const Bytes& t, const std::string& from, const std::string& to) {
        return R"({"dtype":"F32","shape":[)" + std::to_string(t.size() / 4) +
               R"(],"data_offsets":[)" + from + "," + to + "]}";
    };
    const std::string header = R"({"__metadata__":{"note":")" + note + R"("},")" + prefix +
                               R"(a":)" + tensor(a, "0", end_a) + R"(,")" + prefix + R"(b":)" +
                               tensor(b, end_a, end_b) + "}";
    Bytes file;
    ByteWriter out(file);
    out.put(static_cast<std::uint64_t>(header.size()));
    out.put(as_bytes(header));
    out.put(a);
    out.put(b);
    return file;
}

// As after a step of training: every value a little other, the exponents mostly as before.
Bytes trained(Bytes tensor, std::uint64_t seed) {
    test::Random random(seed);
    for (std::size_t i = 0; i < tensor.size(); i += 4) {
        tensor[i] = static_cast<std::uint8_t>(random.next());
    }
    return tensor;
}

class ParentFileTest : public NodeTest {
protected:
    const Bytes a = random_bytes(1, 1'200'000);
    const Bytes b = random_bytes(2, 800'000);

    std::uint64_t growth_of(const Bytes& before, const Bytes& after) {
        write("/in/model", before);
        committed({"/in/model"});
        const std::uint64_t stored = store->counters().stored_bytes;
        write("/in/model", after);
        committed({"/in/model"});
        return store->counters().stored_bytes - stored;
    }
};

TEST_F(ParentFileTest, LinesTensorsUpThoughTheHeaderGrew) {
    const std::uint64_t growth =
        growth_of(checkpoint(a, b, "1"),
                  checkpoint(trained(a, 3), trained(b, 4), "a much longer note, epoch 1000"));
    EXPECT_LT(growth, (a.size() + b.size()) * 2 / 5);  // a quarter of the bytes is new
}

TEST_F(ParentFileTest, LinesTensorsUpThoughAnotherCameBefore) {
    const Bytes before = checkpoint(a, b, "");
    // The same two names, but `a` is larger now: every block of `b` lies elsewhere.
    Bytes larger = a;
    larger.resize(a.size() + 400'000, 7);

    const std::uint64_t growth = growth_of(before, checkpoint(larger, trained(b, 4), ""));

    EXPECT_LT(growth, b.size() * 2 / 5);
}

TEST_F(ParentFileTest, FindsTensorsAgainThatWereRenamed) {
    const std::uint64_t growth =
        growth_of(checkpoint(a, b, ""), checkpoint(trained(a, 3), trained(b, 4), "", "module."));
    EXPECT_LT(growth, (a.size() + b.size()) * 2 / 5);
}

TEST_F(ParentFileTest, FindsTensorsAgainThatWereRenamedAndMoved) {
    const Bytes c = random_bytes(5, a.size());
    const std::uint64_t growth =
        growth_of(checkpoint(a, c, ""), checkpoint(trained(c, 3), trained(a, 4), "", "module."));
    EXPECT_LT(growth, (a.size() + c.size()) * 2 / 5);
}

TEST_F(ParentFileTest, OfACheckpointOfItsOwnNameIsTheOneBefore) {
    write("/in/step-9/model", checkpoint(a, b, ""));
    committed({"/in"});
    const std::uint64_t stored = store->counters().stored_bytes;
    write("/in/step-10/model", checkpoint(trained(a, 3), trained(b, 4), ""));
    committed({"/in"});
    EXPECT_LT(store->counters().stored_bytes - stored, (a.size() + b.size()) * 2 / 5);
}

// A .npy of so many rows of 128 floats.
Bytes npy(const Bytes& rows) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                         std::to_string(rows.size() / 512) + ", 128), }";
    header.resize(117, ' ');
    header += '\n';
    Bytes file;
    ByteWriter out(file);
    out.put(as_bytes(std::string("\x93NUMPY\x01\x00", 8)));
    out.put(static_cast<std::uint16_t>(header.size()));
    out.put(as_bytes(header));
    out.put(rows);
    return file;
}

Bytes with_row(Bytes rows, std::size_t at, std::uint64_t seed) {
    const Bytes row = random_bytes(seed, 512);
    rows.insert(rows.begin() + static_cast<std::ptrdiff_t>(at * 512), row.begin(), row.end());
    return rows;
}

TEST_F(ParentFileTest, ARowThatIsInsertedCostsLittleMoreThanItself) {
    const Bytes rows = random_bytes(6, 4000 * 512);
    EXPECT_LT(growth_of(npy(rows), npy(with_row(rows, 10, 7))), 4000u);
}

TEST_F(ParentFileTest, RowsThatAreInsertedAllOverCostLittleMoreThanThemselves) {
    const Bytes rows = random_bytes(6, 4000 * 512);
    Bytes more = rows;
    for (std::size_t at = 20; at < 4000; at += 40) more = with_row(std::move(more), at, at);
    EXPECT_LT(growth_of(npy(rows), npy(more)), 100 * 512u + 8000);
}

TEST_F(ParentFileTest, RowsThatAreDroppedAtTheFrontCostNothing) {
    const Bytes rows = random_bytes(6, 4000 * 512);
    for (const std::ptrdiff_t dropped : {100, 700, 3000})
        EXPECT_LT(growth_of(npy(rows), npy(Bytes(rows.begin() + dropped * 512, rows.end()))), 4000u)
            << dropped;
}

TEST_F(ParentFileTest, AWindowThatMovesOnCostsWhatIsNew) {
    // Floats that no table speaks of, four in a record.
    Bytes log = random_bytes(8, 16 * 60'000);
    for (std::size_t i = 3; i < log.size(); i += 4) log[i] = 0x3c;
    const auto window = [&](std::size_t from, std::size_t to) {
        return Bytes(log.begin() + static_cast<std::ptrdiff_t>(16 * from),
                     log.begin() + static_cast<std::ptrdiff_t>(16 * to));
    };
    EXPECT_LT(growth_of(window(0, 40'000), window(3000, 43'000)), 16u * 3000 + 4000);
    // Also where the parent was cut like its own, and nothing is dropped any more.
    const std::uint64_t stored = store->counters().stored_bytes;
    write("/in/model", window(3000, 46'000));
    committed({"/in/model"});
    EXPECT_LT(store->counters().stored_bytes - stored, 16u * 3000 + 4000);
}

TEST_F(ParentFileTest, OffersNothingWhenTheParentIsNotHeld) {
    ParentFile parent(*store, BlobId{sha256(as_bytes("elsewhere"))}, 5'000'000);
    EXPECT_FALSE(parent.base_for({0, 1000, codec::ElementType::bytes, 0, 0}, Bytes(1000)));
    EXPECT_FALSE(parent.recipe_base());
}

}  // namespace
}  // namespace tributary::agent
