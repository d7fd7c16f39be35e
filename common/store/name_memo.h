// Names of records that somebody remembers of each of many owners, and what it left unfinished with
// each: a SQLite file beside a store, for what is too large for RAM. It is a memo and no fact:
// never synced, and begun anew when it is damaged. What it cannot keep it forgets, so nothing here
// fails: while its disk takes no write, all goes on with what is there. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/base/limits.h"
#include "common/record/short_name.h"

namespace tributary {

class Database;

class NameMemo {
public:
    static constexpr const char* kInMemory = ":memory:";  // for disks that SQLite cannot see

    // Told once why something could not be kept.
    using Trouble = std::function<void(const Error&)>;
    explicit NameMemo(std::string path, Trouble trouble = {});
    ~NameMemo();

    void add(const std::string& owner, std::span<const ShortName> names);
    bool contains(const std::string& owner, const ShortName& name);
    bool knows(const std::string& owner);  // any of its names
    void forget(const std::string& owner);

    // Of all owners together; beyond that, what was kept first is let go.
    static constexpr std::size_t kUnfinishedBytesMax = 32 * limits::MiB;
    void keep_unfinished(const std::string& owner, ByteView bytes);
    Bytes take_unfinished(const std::string& owner);  // once; empty: none

private:
    Status begin();
    void begin_anew();
    void on_failure(const Error& error);
    Result<bool> find(const char* sql, const std::string& owner, ByteView name);

    const std::string path_;
    Trouble trouble_;  // none: it was told
    std::uint64_t written_ = 0;
    std::unique_ptr<Database> database_;  // none: it cannot be kept
};

}  // namespace tributary
