// A disk in memory that loses what was not synced.
//
// Every write and every change of a directory waits, visible to readers, until a sync makes it
// durable. crash(seed) cuts the power: of the waiting writes of each file a random subset reaches
// the medium, in whatever order, the last one possibly torn at a 512-byte sector; a gap that a lost
// write leaves reads as zeros. Of the waiting directory changes a random subset is lost; a change
// of a name that depends on a lost one is lost with it. After a crash every handle is dead and
// every call answers unavailable, until restart().
//
// A failed sync is as bad as on Linux: the writes it should have kept will never reach the medium,
// though a later sync answers success and reads still show them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/env/files.h"
#include "tests/support/random.h"

namespace tributary::test {

// Beyond the port: for what writes anywhere in a file, as SQLite does.
class OverwritableFile : public File {
public:
    // Like append(), and may grow the file. A gap reads as zeros.
    virtual Status write_at(std::uint64_t offset, ByteView bytes) = 0;
};

class SimFiles final : public Files {
public:
    // Every call that changes the disk or makes a change durable; `read` stands for all others.
    enum class Effect : std::uint8_t {
        create,
        append,
        truncate,
        sync,
        rename,
        remove,
        make_directory,  // once for each directory that is made
        sync_directory,
        replace_link,
        lock,
        read,
    };
    struct Counters {
        std::uint64_t appends = 0;
        std::uint64_t appended_bytes = 0;
        std::uint64_t syncs = 0;
        std::uint64_t directory_syncs = 0;
        std::uint64_t read_bytes = 0;
    };

    SimFiles();
    ~SimFiles() override;

    // ---- trouble ----
    // Cuts the power now. May be called from the hook: the call that is about to happen then fails
    // and has no effect.
    void crash(std::uint64_t seed);
    void restart();
    // Runs before every effect but `read`, with its path.
    void set_hook(std::function<void(Effect, const std::string& path)> hook);
    // Cuts the power before the effect of that number (from 0, counted by effects()).
    void crash_before_effect(std::uint64_t number, std::uint64_t seed);
    std::uint64_t effects() const;  // so far, `read` left out
    // The n-th call of this kind from now (1: the next) fails with this errno: ENOSPC, EIO, ... An
    // append that fails has written its first half.
    void fail_call(Effect effect, std::uint64_t nth, int error_number);
    // The n-th read from now (1: the next) that brings anything brings as many bytes from another
    // place of the same file, as a controller does that mistakes an address; once.
    void misdirect_read(std::uint64_t nth, std::uint64_t seed);
    bool misdirects() const { return misdirected_.has_value(); }  // it is still to come
    // Damage on the medium: bit 0 is the lowest of the first byte.
    void flip_bit(const std::string& path, std::uint64_t bit);
    // Damage of any kind: `change` is given the bytes of a file, all of which are synced.
    void rewrite(const std::string& path, const std::function<void(Bytes& bytes)>& change);
    // Appends past this many bytes of files in all fail with ENOSPC.
    void set_capacity(std::uint64_t bytes);

    const Counters& counters() const { return counters_; }

    // An existing file.
    Result<std::unique_ptr<OverwritableFile>> open_overwritable(const std::string& path);

    // ---- the port ----
    Result<std::unique_ptr<File>> open_read(const std::string& path) override;
    Result<std::unique_ptr<File>> open_append(const std::string& path) override;
    Result<std::unique_ptr<File>> create(const std::string& path, bool executable = false,
                                         Readers readers = Readers::owner) override;
    Result<FileStatus> stat(const std::string& path) override;
    Result<FileStatus> stat_target(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Status make_directories(const std::string& path, Readers readers = Readers::owner) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Status sync_directory(const std::string& path) override;
    Result<std::string> read_link(const std::string& path) override;
    Status replace_link(const std::string& path, const std::string& target) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path,
                                           const std::string& holder) override;

private:
    friend class SimFile;
    friend class SimLock;
    struct Node;
    using NodePtr = std::shared_ptr<Node>;
    struct Place;
    struct DirectoryChange;

    // Errno of a failure to inject or of a disk without power, else 0.
    int begin(Effect effect, const std::string& path);
    Place walk(const std::string& path, bool follow_last);
    NodePtr new_node(FileStatus::Kind kind);
    void change(DirectoryChange change);
    void make_durable(const Node& directory);
    Result<std::unique_ptr<OverwritableFile>> open(const std::string& path, bool writable);
    Result<FileStatus> status_of(const std::string& path, bool follow_last);
    std::uint64_t used_bytes() const;

    mutable std::recursive_mutex mutex_;  // the hook may call crash()
    NodePtr root_;
    std::vector<DirectoryChange> waiting_;
    std::map<std::uint64_t, std::uint64_t> locks_;  // inode to generation
    std::function<void(Effect, const std::string&)> hook_;
    std::map<Effect, std::vector<std::pair<std::uint64_t, int>>> failures_;  // calls to go, errno
    struct Misdirected {
        std::uint64_t reads_to_go = 0;
        Random random;
    };
    std::optional<Misdirected> misdirected_;
    // From where a read is served in truth.
    std::size_t place_of_read(std::size_t offset, std::size_t size);
    Counters counters_;
    std::uint64_t effects_ = 0;
    std::uint64_t capacity_ = std::uint64_t{1} << 40;
    std::uint64_t next_inode_ = 1;
    std::uint64_t ticks_ = 0;
    std::uint64_t generation_ = 0;  // grows with every crash: older handles are dead
    bool powered_ = true;
};

}  // namespace tributary::test
