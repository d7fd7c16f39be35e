// tributary-bench codec: what a sequence of versions costs in the store, and how fast its pieces
// are coded.
//
// Stored bytes are the growth of all segments, everything included. Speeds are those of the coder
// alone, in process, one thread, hashing and I/O excluded, by the thread's CPU time, the fastest of
// five: each piece that a version added is encoded and decoded again against the base the store
// chose, and zstd level 3 does the same pieces in the same run. Recording and reading a version
// back are timed by the clock, with all that they take: its base's chain, hashing, files in a
// temporary folder. Recording is timed twice: each version in the place of the one before, and, in
// another store, beside it, as the checkpoints of a training run lie beside each other. At last, in
// a third store, every second version is given up.
#include <zstd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "agent/record/recorder.h"
#include "common/codec/codec.h"
#include "common/codec/layout.h"
#include "common/hash/hash.h"
#include "tests/bench/bench.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

struct Measured {
    std::string name;
    std::uint64_t plain_bytes = 0;
    std::uint64_t stored_bytes = 0;
    bool verified = false;
    Rate encode, decode, zstd_encode, zstd_decode, record, record_beside, read;
};

struct How {
    codec::Level level{};
    std::uint32_t workers = 1;
};

Status copy(const std::string& from, const std::string& to) {
    if (system_files().stat(to)) TRIBUTARY_TRY(system_files().remove(to));
    TRIBUTARY_ASSIGN(const auto in, system_files().open_read(from));
    TRIBUTARY_ASSIGN(const auto out, system_files().create(to));
    Bytes block(limits::MiB);
    for (std::uint64_t at = 0;;) {
        TRIBUTARY_ASSIGN(const std::size_t count, in->read_at(at, block));
        if (count == 0) return {};
        TRIBUTARY_TRY(out->append(ByteView(block).first(count)));
        at += count;
    }
}

Result<agent::CommitOutcome> commit_file(Store& store, const std::string& path,
                                         const std::string& name, const How& how) {
    agent::CommitRequest request;
    request.repo = "bench/codec";
    request.paths = {path};
    request.level = how.level;
    request.workers = how.workers;
    request.notes = Notes{name, {}};  // also the same bytes again are a version
    return agent::Recorder(system_files(), system_clock(), store).commit(request);
}

class CodecBench {
public:
    CodecBench(Store& store, Store& beside, const How& how)
        : store_(store), beside_(beside), how_(how) {}

    Result<Measured> commit(const std::string& directory, const std::string& name) {
        Measured measured;
        measured.name = name;
        // Each version is the same file of the repository, whatever its name in the directory.
        const std::string path = scratch_ / "version";
        TRIBUTARY_TRY(copy(join_path(directory, name), path));

        const std::uint64_t before = store_.counters().stored_bytes;
        TRIBUTARY_ASSIGN(const agent::CommitOutcome outcome,
                         record(store_, path, name, measured.record));
        measured.plain_bytes = outcome.plain_bytes;
        measured.stored_bytes = store_.counters().stored_bytes - before;

        TRIBUTARY_ASSIGN(const std::vector<TreeItem> files,
                         read_tree(outcome.tree, tree_loader(store_)));
        const TreeItem& file = files.front();
        const Stopwatch reading;
        TRIBUTARY_ASSIGN(measured.verified, verify(file, path));
        measured.read.add(file.size, reading.seconds());
        if (file.size > 0) TRIBUTARY_TRY(measure_pieces(file, path, measured));
        TRIBUTARY_TRY(record_beside(path, name, measured));
        return measured;
    }

private:
    Result<agent::CommitOutcome> record(Store& store, const std::string& path,
                                        const std::string& name, Rate& rate) const {
        const Stopwatch watch;
        TRIBUTARY_ASSIGN(agent::CommitOutcome outcome, commit_file(store, path, name, how_));
        rate.add(outcome.plain_bytes, watch.seconds());
        return outcome;
    }

    // Two versions lie there at a time.
    Status record_beside(const std::string& path, const std::string& name, Measured& measured) {
        const std::string next = scratch_ / "version-" + std::to_string(++count_);
        TRIBUTARY_TRY(copy(path, next));
        TRIBUTARY_TRY(record(beside_, next, name, measured.record_beside));
        if (!last_.empty()) TRIBUTARY_TRY(system_files().remove(last_));
        last_ = next;
        return {};
    }

    // Restored bytes beside the file's own, byte by byte.
    Result<bool> verify(const TreeItem& file, const std::string& path) {
        TRIBUTARY_ASSIGN(const auto original, system_files().open_read(path));
        std::uint64_t at = 0;
        bool same = true;
        Bytes block;
        const Status read =
            read_blob(store_, {file.target}, file.size, [&](ByteView bytes) -> Status {
                block.resize(bytes.size());
                TRIBUTARY_TRY(original->read_exactly(at, block));
                same = same && std::ranges::equal(bytes, block);
                at += bytes.size();
                return {};
            });
        TRIBUTARY_TRY(read);
        return same && at == file.size;
    }

    // A recipe does not tell all that the encoder knew: the rows that lie where tables say.
    using Rows = std::map<std::pair<std::uint64_t, std::uint32_t>, codec::Rows>;
    static Result<Rows> rows_in(const std::string& path) {
        TRIBUTARY_ASSIGN(const auto file, system_files().open_read(path));
        TRIBUTARY_ASSIGN(const std::uint64_t bytes, file->size());
        Rows rows;
        const auto read = [&](std::uint64_t offset, ByteSpan out) {
            return file->read_at(offset, out);
        };
        TRIBUTARY_TRY(codec::cut(bytes, read, [&](const codec::Span& span) -> Status {
            rows[{span.offset, span.length}] = span.rows;
            return {};
        }));
        return rows;
    }

    Status measure_pieces(const TreeItem& file, const std::string& path, Measured& measured) {
        TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store_, {file.target}, file.size));
        TRIBUTARY_ASSIGN(const Rows rows, rows_in(path));
        std::uint64_t end = 0;
        for (const RecipePiece& piece : recipe.pieces) {
            const std::uint64_t offset = std::exchange(end, end + piece.length);
            if (!seen_.insert(piece.id).second) continue;  // an older version's: it cost nothing
            const RecordKey key{RecordKind::piece, piece.id.digest};
            TRIBUTARY_ASSIGN(const RecordHeader header, store_.read_header(key));
            TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(key));
            std::array<Bytes, 2> bases;
            for (std::size_t k = 0; k < header.base_count; ++k) {
                TRIBUTARY_ASSIGN(bases.at(k),
                                 store_.read_plain({RecordKind::piece, header.base[k]}));
            }
            const auto cut = rows.find({offset, piece.length});
            const codec::Piece as_recorded{
                plain, codec::element_type(piece.element_type).value_or(codec::ElementType::bytes),
                piece.phase, cut == rows.end() ? codec::Rows{} : cut->second};
            TRIBUTARY_TRY(measure_piece(as_recorded, bases[0], bases[1], measured));
        }
        return {};
    }

    Status measure_piece(const codec::Piece& piece, const Bytes& base, const Bytes& before,
                         Measured& measured) {
        const ByteView plain = piece.plain;
        const std::size_t bytes = plain.size();
        codec::Encoded coded;
        measured.encode.add(bytes, fastest_cpu_seconds([&] {
                                coded = coder_.encode(piece, base, how_.level, before);
                            }));

        const Bytes payload(coded.payload.begin(), coded.payload.end());
        Bytes decoded(bytes);
        Status status;
        measured.decode.add(bytes, fastest_cpu_seconds([&] {
                                status = coder_.decode(
                                    static_cast<std::uint8_t>(coded.encoding), payload,
                                    coded.uses_base ? ByteView(base) : ByteView(), decoded, before);
                            }));
        TRIBUTARY_TRY(status);
        if (!std::ranges::equal(decoded, plain))
            return fail(Errc::corrupt, "a piece did not decode to what it was");

        Bytes packed(ZSTD_compressBound(bytes));
        std::size_t packed_bytes = 0;
        measured.zstd_encode.add(bytes, fastest_cpu_seconds([&] {
                                     packed_bytes =
                                         ZSTD_compressCCtx(zstd_.c, packed.data(), packed.size(),
                                                           plain.data(), bytes, 3);
                                 }));
        measured.zstd_decode.add(bytes, fastest_cpu_seconds([&] {
                                     ZSTD_decompressDCtx(zstd_.d, decoded.data(), bytes,
                                                         packed.data(), packed_bytes);
                                 }));
        return {};
    }

    struct Zstd {
        ZSTD_CCtx* c = ZSTD_createCCtx();
        ZSTD_DCtx* d = ZSTD_createDCtx();
        ~Zstd() {
            ZSTD_freeCCtx(c);
            ZSTD_freeDCtx(d);
        }
    };

    Store& store_;
    Store& beside_;
    How how_;
    codec::Coder coder_;
    Zstd zstd_;
    test::TempDir scratch_;
    std::set<PieceId> seen_;
    std::string last_;  // of those beside each other
    std::size_t count_ = 0;
};

// What is left of all when every second version but the first and the newest is given up, in a
// store of segments so small that what is dead can go.
Result<Json> measure_thinned(const std::string& directory, const std::vector<std::string>& names,
                             const How& how) {
    const test::TempDir home;
    StoreOptions options;
    options.segment_bytes = 256 * limits::KiB;
    TRIBUTARY_ASSIGN(const auto store, fresh_store(home / "store", Bytes(91, 0), options));
    CompactionPlan plan;
    plan.dead_percent_min = 1;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string path = home / "version";
        TRIBUTARY_TRY(copy(join_path(directory, names[i]), path));
        TRIBUTARY_ASSIGN(const auto outcome, commit_file(*store, path, names[i], how));
        if (i % 2 == 1 && i + 1 < names.size()) plan.evict.push_back(outcome.version);
    }
    const std::uint64_t before = store->counters().stored_bytes;
    const std::size_t given_up = plan.evict.size();
    CompactionPlan again = plan;
    again.evict.clear();
    // Twice: the newest segment stays, and once has what was coded anew.
    for (int round = 0; round < 2; ++round) {
        TRIBUTARY_ASSIGN(const auto compaction, store->compact(std::exchange(plan, again)));
        for (bool done = false; !done;) {
            TRIBUTARY_ASSIGN(done, compaction->step());
        }
    }
    return Json::object({{"given_up", given_up},
                         {"bytes_before", before},
                         {"stored_bytes", store->counters().stored_bytes}});
}

Json form_of(const Measured& measured) {
    return Json::object({{"name", measured.name},
                         {"plain_bytes", measured.plain_bytes},
                         {"stored_bytes", measured.stored_bytes},
                         {"encode_mb_s", rounded(measured.encode.mb_s(), 10)},
                         {"decode_mb_s", rounded(measured.decode.mb_s(), 10)},
                         {"record_mb_s", rounded(measured.record.mb_s(), 10)},
                         {"record_beside_mb_s", rounded(measured.record_beside.mb_s(), 10)},
                         {"read_mb_s", rounded(measured.read.mb_s(), 10)},
                         {"verified", measured.verified}});
}

}  // namespace

Result<Json> run_codec(const std::string& directory, const std::string& level_name,
                       std::uint32_t workers) {
    const auto level = codec::parse_level(level_name);
    if (!level)
        return fail(Errc::invalid, "--level is fast, default or max, not '" + level_name + "'");

    std::vector<std::string> names;
    TRIBUTARY_ASSIGN(const std::vector<std::string> listed, system_files().list(directory));
    for (const std::string& name : listed) {
        const auto status = system_files().stat_target(join_path(directory, name));
        if (status && status->kind == FileStatus::Kind::regular && name != "README.md")
            names.push_back(name);
    }
    if (names.empty()) return fail(Errc::not_found, directory + " holds no files");

    const test::TempDir home;
    TRIBUTARY_ASSIGN(const auto store, fresh_store(home / "store"));
    TRIBUTARY_ASSIGN(const auto beside, fresh_store(home / "beside"));

    const How how{*level, workers};
    CodecBench bench(*store, *beside, how);
    Json files = Json::array();
    Measured total;
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto measured = bench.commit(directory, names[i]);
        if (!measured) return with_context(names[i], measured.error());
        files.push(form_of(*measured));
        if (i == 0) continue;
        total.plain_bytes += measured->plain_bytes;
        total.stored_bytes += measured->stored_bytes;
        total.encode.add(measured->encode);
        total.decode.add(measured->decode);
        total.zstd_encode.add(measured->zstd_encode);
        total.zstd_decode.add(measured->zstd_decode);
        total.record.add(measured->record);
        total.record_beside.add(measured->record_beside);
        total.read.add(measured->read);
    }
    TRIBUTARY_ASSIGN(Json thinned, measure_thinned(directory, names, how));
    const double ratio = total.plain_bytes == 0 ? 0
                                                : static_cast<double>(total.stored_bytes) /
                                                      static_cast<double>(total.plain_bytes);
    return Json::object(
        {{"level", level_name},
         {"files", std::move(files)},
         {"total", Json::object({{"plain_bytes", total.plain_bytes},
                                 {"stored_bytes", total.stored_bytes},
                                 {"ratio", rounded(ratio, 10000)},
                                 {"encode_mb_s", rounded(total.encode.mb_s(), 10)},
                                 {"decode_mb_s", rounded(total.decode.mb_s(), 10)},
                                 {"zstd3_encode_mb_s", rounded(total.zstd_encode.mb_s(), 10)},
                                 {"zstd3_decode_mb_s", rounded(total.zstd_decode.mb_s(), 10)},
                                 {"record_mb_s", rounded(total.record.mb_s(), 10)},
                                 {"record_beside_mb_s", rounded(total.record_beside.mb_s(), 10)},
                                 {"read_mb_s", rounded(total.read.mb_s(), 10)}})},
         {"thinned", std::move(thinned)}});
}

}  // namespace tributary::bench
