#include "common/store/counting_files.h"

#include <utility>

namespace tributary {
namespace {

class CountingFile final : public File {
public:
    CountingFile(std::unique_ptr<File> file, std::uint64_t& written)
        : file_(std::move(file)), written_(written) {}

    Result<std::size_t> read_at(std::uint64_t offset, ByteSpan out) override {
        return file_->read_at(offset, out);
    }
    Status append(ByteView bytes) override {
        written_ += bytes.size();
        return file_->append(bytes);
    }
    Status sync() override { return file_->sync(); }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }

private:
    std::unique_ptr<File> file_;
    std::uint64_t& written_;
};

Result<std::unique_ptr<File>> counted(Result<std::unique_ptr<File>> file, std::uint64_t& written) {
    if (!file) return file;
    return std::make_unique<CountingFile>(*std::move(file), written);
}

}  // namespace

Result<std::unique_ptr<File>> CountingFiles::open_append(const std::string& path) {
    return counted(files_.open_append(path), written_);
}

Result<std::unique_ptr<File>> CountingFiles::create(const std::string& path, bool executable,
                                                    Readers readers) {
    return counted(files_.create(path, executable, readers), written_);
}

}  // namespace tributary
