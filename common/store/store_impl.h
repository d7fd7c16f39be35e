// The store put together: log, index, objects, journals. Only common/store includes this.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/store/counting_files.h"
#include "common/store/index.h"
#include "common/store/log.h"
#include "common/store/objects.h"
#include "common/store/store.h"

namespace tributary {

// What a commit entry says; nullopt for another kind, and for a body that cannot be read (such an
// entry is kept in its journal and adds nothing to the index).
std::optional<CommitBody> commit_body_of(const EntryView& entry);
// Likewise: the version that it says was dropped.
std::optional<VersionId> thinned_by(const EntryView& entry);

// What an entry of the log adds to the index. `frame` is its whole record.
Result<IndexEntry> index_entry_of(const RecordKey& key, ByteView frame, const Place& place);

class CompactionImpl;

class StoreImpl final : public Store {
public:
    StoreImpl(Files& files, Clock& clock, std::string directory, StoreOptions options)
        : files_(files, written_),
          clock_(clock),
          directory_(std::move(directory)),
          options_(std::move(options)) {}
    ~StoreImpl() override;

    Status open(Entropy& entropy);

    bool has(const RecordKey& key) override { return objects_->has(key); }
    Result<Bytes> read_record(const RecordKey& key) override { return objects_->record(key); }
    Result<RecordHeader> read_header(const RecordKey& key) override {
        return objects_->header(key);
    }
    Result<Bytes> read_plain(const RecordKey& key) override { return objects_->plain(key); }
    Status for_each_name(RecordKind kind,
                         const std::function<Status(const Digest&)>& visit) override;
    Status stage_record(ByteView frame) override;
    Result<IncomingRecord> receive(ByteView frame, IfHeld if_held) override {
        return objects_->receive(frame, if_held);
    }
    bool look_at_pieces(IncomingRecord& record, std::size_t pieces) override {
        return objects_->look_at_pieces(record, pieces, kBatchBytes);
    }
    Status stage(IncomingRecord record) override;
    Result<Digest> stage_object(RecordKind kind, ByteView plain,
                                std::optional<Digest> base) override;
    Status stage_recipe(const BlobId& blob, ByteView plain, std::optional<BlobId> base) override;
    Result<PieceId> stage_piece(const codec::Piece& piece, std::optional<PieceBase> base,
                                codec::Level level) override;
    Result<std::size_t> stage_pieces(std::span<const PieceToStage> pieces,
                                     codec::Level level) override;

    JournalHead head() override { return own_; }
    Result<std::vector<JournalHead>> heads() override;
    Status start_journal(StartBody body) override;
    Result<EntryHash> stage_entry(const EntryBody& body, std::uint64_t fence) override;
    Status stage_foreign_entry(ByteView plain) override;
    Status read_entries(const Incarnation& incarnation, std::uint64_t from,
                        const std::function<bool(ByteView)>& visit) override;

    Status commit() override;
    Status writable() const override { return log_->writable(); }
    Status admits(std::uint64_t bytes) const override {
        return log_->admits(objects_->staged.bytes.size() + bytes);
    }
    void abandon() override;
    void abandon_entries() override;

    Result<std::optional<VersionRow>> branch_head(const std::string& repo,
                                                  const std::string& branch,
                                                  const Incarnation& incarnation) override;
    Result<std::vector<VersionRow>> branches(const std::string& repo) override;
    Result<std::vector<std::string>> repositories() override;
    Result<std::vector<VersionRow>> versions_by_prefix(std::string_view hex,
                                                       std::size_t limit) override;
    Result<std::vector<VersionRow>> versions(std::optional<std::string> repo,
                                             std::size_t limit) override;
    Result<std::uint64_t> count_versions_after(const Incarnation& incarnation,
                                               std::uint64_t sequence) override;
    Result<std::optional<Digest>> latest_receipt(const Incarnation& journal) override;

    StoreCounters counters() override;
    Result<std::unique_ptr<Compaction>> compact(CompactionPlan plan) override;
    Result<bool> evicted(const VersionId& version) override;
    Result<bool> thinned(const VersionId& version) override;
    void add_recorded_bytes(std::uint64_t plain_bytes) override { recorded_ += plain_bytes; }
    const RecoveryReport& recovery() override { return recovery_; }
    Result<std::vector<std::string>> check(bool data) override;
    std::size_t damaged_records() const override { return log_->damaged_records(); }
    Result<std::vector<std::string>> check_part(std::uint32_t part, std::uint32_t parts) override;

private:
    // store.cpp
    Status prepare_directory();
    Status flush_objects();
    Status stage_entry_plain(const EntryView& entry, ByteView plain);
    Status append_batch(Batch& batch, std::vector<IndexEntry>& rows, const segment::State& state);
    void drop_parts();  // cut_back.cpp

    // store_index.cpp
    Status open_index();
    bool kept_fits();
    Status fill_index();
    void seal_index_rows();
    std::size_t entries_in_ram_max() const;
    void keep_index_rows(std::size_t entries_min);
    void show_index(const Batch& batch, std::vector<IndexEntry>& rows,
                    const Log::Appended& appended);
    Status show_eviction(Index& index, const RecordKey& key);
    Status show_receipt(Index& index, const RecordKey& key, const Place& place);
    Status index_segment(Index& index, std::uint32_t number, std::uint64_t from);
    Status index_records(Index& index, std::uint32_t number, std::uint64_t from);
    Status rebuild_index(const std::vector<Index::Segment>& gone = {});

    // store_questions.cpp
    Result<std::optional<JournalHead>> head_of(const Incarnation& incarnation);
    Result<bool> agrees_with_log(const JournalHead& head);
    Status find_own_head();
    Result<bool> knows(const Incarnation& incarnation, std::uint64_t sequence);  // such an entry
    Result<Bytes> entry_frame(const Index::EntryPlace& at);
    template <class Query>
    auto ask(Query query) -> decltype(query(std::declval<Index&>()));

    friend class Checker;         // check.cpp
    friend class CompactionImpl;  // compaction.cpp

    std::uint64_t written_ = 0;
    CountingFiles files_;
    Clock& clock_;
    const std::string directory_;
    StoreOptions options_;
    std::string index_path_;
    RecoveryReport recovery_;

    std::unique_ptr<FileLock> lock_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Index> index_;   // null: to be built anew before the next question
    std::size_t keep_again_at_ = 0;  // entries in RAM, after moving them failed
    std::unique_ptr<Objects> objects_;

    const CompactionImpl* compaction_ = nullptr;  // the one under way
    std::uint32_t begun_ = 0;                     // as the index knows it
    std::uint64_t recorded_ = 0;                  // plain bytes since the last commit
    // Since then parts of what is to be committed went to the log, and nothing else: where it ended
    // before the first, and what the index then knew.
    struct Parts {
        Log::End log;
        std::uint32_t begun = 0;
    };
    std::optional<Parts> parts_;
    bool peers_staged_ = false;  // among them is what peers were told is here
    JournalHead own_;            // staged entries included
    JournalHead own_committed_;
    std::vector<IndexEntry>
        staged_rows_;  // of the staged entries; places count from the batch's start
    std::map<Incarnation, JournalHead> staged_heads_;
    Entropy* entropy_ = nullptr;
};

// Asks the index; one that turns out damaged is built anew and asked again.
template <class Query>
auto StoreImpl::ask(Query query) -> decltype(query(std::declval<Index&>())) {
    if (!index_) TRIBUTARY_TRY(rebuild_index());
    auto answer = query(*index_);
    if (answer || answer.error().code != Errc::corrupt) return answer;
    TRIBUTARY_TRY(rebuild_index());
    return query(*index_);
}

}  // namespace tributary
