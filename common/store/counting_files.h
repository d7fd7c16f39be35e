// Files, with every byte handed to append() counted: what `written_bytes` reports.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/env/files.h"

namespace tributary {

class CountingFiles final : public Files {
public:
    // Both live longer than this and every File made by it.
    CountingFiles(Files& files, std::uint64_t& written) : files_(files), written_(written) {}

    Result<std::unique_ptr<File>> open_read(const std::string& path) override {
        return files_.open_read(path);
    }
    Result<std::unique_ptr<File>> open_append(const std::string& path) override;
    Result<std::unique_ptr<File>> create(const std::string& path, bool executable = false,
                                         Readers readers = Readers::owner) override;
    Result<FileStatus> stat(const std::string& path) override { return files_.stat(path); }
    Result<FileStatus> stat_target(const std::string& path) override {
        return files_.stat_target(path);
    }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        return files_.list(directory);
    }
    Status make_directories(const std::string& path, Readers readers = Readers::owner) override {
        return files_.make_directories(path, readers);
    }
    Status rename(const std::string& from, const std::string& to) override {
        return files_.rename(from, to);
    }
    Status remove(const std::string& path) override { return files_.remove(path); }
    Status sync_directory(const std::string& path) override { return files_.sync_directory(path); }
    Result<std::string> read_link(const std::string& path) override {
        return files_.read_link(path);
    }
    Status replace_link(const std::string& path, const std::string& target) override {
        return files_.replace_link(path, target);
    }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        return files_.free_bytes(path);
    }
    Result<std::unique_ptr<FileLock>> lock(const std::string& path,
                                           const std::string& holder) override {
        return files_.lock(path, holder);
    }

private:
    Files& files_;
    std::uint64_t& written_;
};

}  // namespace tributary
