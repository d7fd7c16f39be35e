// The index in SQLite: one class, declared here for its two files, index.cpp (opening, writing) and
// index_queries.cpp (reading).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/store/index.h"
#include "common/store/sqlite.h"

namespace tributary {

class SqliteIndex final : public Index {
public:
    SqliteIndex(const std::string& path, std::uint64_t& written) : database_(path, written) {}

    // corrupt: the file is of another schema, or not a database, or broken.
    Status prepare();

    Result<std::vector<Segment>> segments() override;
    Result<std::uint32_t> begun() override;
    Status set_begun(std::uint32_t segment) override;
    Result<std::optional<Kept>> kept() override;
    Status begin_rows() override;
    Status end_rows() override;
    Status add(const IndexEntry& entry) override;
    Status add_receipt(const Incarnation& journal, const Digest& name, const Place& place) override;
    Status add_evicted(const VersionId& version) override;
    Status forget(std::uint32_t segment) override;
    Status seal(const Segment& segment) override;
    Status keep(const Kept& kept) override;
    std::size_t entries_in_ram() const override;
    Status cut_back(std::uint32_t begun, std::uint32_t next_segment,
                    const std::optional<Kept>& open) override;
    Result<std::optional<JournalHead>> head(const Incarnation& incarnation) override;
    Result<std::vector<JournalHead>> heads() override;
    Result<std::vector<EntryPlace>> entries(const Incarnation& incarnation, std::uint64_t from,
                                            std::size_t limit) override;
    Result<std::optional<VersionRow>> branch_head(const std::string& repo,
                                                  const std::string& branch,
                                                  const Incarnation& incarnation) override;
    Result<std::vector<VersionRow>> branches(const std::string& repo) override;
    Result<std::vector<std::string>> repositories() override;
    Result<std::vector<VersionRow>> versions_by_prefix(std::string_view hex,
                                                       std::size_t limit) override;
    Result<std::vector<VersionRow>> versions(const std::optional<std::string>& repo,
                                             std::size_t limit) override;
    Result<bool> evicted(const VersionId& version) override;
    Result<bool> thinned(const VersionId& version) override;
    Result<std::uint64_t> count_versions_after(const Incarnation& incarnation,
                                               std::uint64_t sequence) override;
    Result<std::optional<Digest>> receipt(const Incarnation& journal) override;
    Result<bool> is_receipt(const Digest& name) override;
    Status dump(const std::function<void(std::string_view row)>& visit) override;

private:
    Status write_head(const JournalHead& head);
    Status write_branch(const VersionRow& row);
    Status write_kept(const Kept& kept);
    // All rows in RAM to the file, and with them what `say` writes there.
    Status move_rows(const std::function<Status()>& say);
    Result<std::vector<VersionRow>> newest_of(const std::string& repo, std::size_t limit);

    template <class Bind>
    Status write(const char* sql, Bind bind) {
        TRIBUTARY_ASSIGN(Statement* const statement, database_.statement(sql));
        Statement& s = *statement;
        bind(s);
        const auto stepped = s.step();
        s.reset();
        return stepped.map([](bool) {});
    }

    template <class Row, class Bind, class Read>
    Result<std::vector<Row>> rows(const char* sql, Bind bind, Read read) {
        TRIBUTARY_ASSIGN(Statement* const statement, database_.statement(sql));
        Statement& s = *statement;
        bind(s);
        std::vector<Row> all;
        for (;;) {
            const auto row = s.step();
            if (!row || !*row) {
                s.reset();
                if (!row) return tl::unexpected(row.error());
                return all;
            }
            all.push_back(read(s));
        }
    }

    Result<bool> is_there(const char* sql, const Digest& name) {
        return rows<int>(
                   sql, [&](Statement& s) { s.bind(1, name.bytes); }, [](Statement&) { return 1; })
            .map([](const auto& found) { return !found.empty(); });
    }

    template <class Row>
    static Result<std::optional<Row>> first(Result<std::vector<Row>> rows) {
        if (!rows) return tl::unexpected(std::move(rows).error());
        if (rows->empty()) return std::optional<Row>();
        return std::optional<Row>(std::move(rows->front()));
    }

    Database database_;
    std::size_t in_ram_ = 0;  // entries added since rows were moved
    // Of the rows added since begin_rows(), only the last of each.
    std::map<Incarnation, JournalHead> heads_;
    std::map<std::tuple<std::string, std::string, Incarnation>, VersionRow> branches_;
};

// Numbers are stored as SQLite has them, with a sign.
std::int64_t stored_number(std::uint64_t number);

}  // namespace tributary
