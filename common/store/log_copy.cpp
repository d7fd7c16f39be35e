#include "common/store/log_copy.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/footer.h"
#include "common/store/log.h"
#include "common/store/removed.h"
#include "common/store/scan.h"

namespace tributary {
namespace {

constexpr std::size_t kBlockBytes = 1024 * 1024;
constexpr std::uint64_t kSmallFileMax = 512 * 1024;
// Compaction may take a segment away before it is read: then all is looked at anew.
constexpr int kTriesMax = 8;

// Hands out `file` from `from` to `to` in blocks.
Status each_block(File& file, std::uint64_t from, std::uint64_t to,
                  const std::function<Status(ByteView)>& take) {
    Bytes buffer(kBlockBytes);
    while (from < to) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, to - from));
        const ByteSpan block = ByteSpan(buffer).first(count);
        TRIBUTARY_TRY(file.read_exactly(from, block));
        TRIBUTARY_TRY(take(block));
        from += count;
    }
    return {};
}

Result<Digest> digest_of(File& file, std::uint64_t bytes) {
    Sha256 hash;
    TRIBUTARY_TRY(each_block(file, 0, bytes, [&](ByteView block) -> Status {
        hash.update(block);
        return {};
    }));
    return hash.finish();
}

// How much of the newest segment is the log's: its whole batches. The mark that acknowledges the
// last of them is left out, because a power cut may take it from the log.
std::uint64_t whole_batches(const segment::Scan& scan, std::uint64_t bytes) {
    if (!scan.header) return bytes;  // damaged: named, and kept whole
    return scan.nothing_kept() ? segment::Header::kBytes : scan.last_mark_end;
}

class Copier {
public:
    using Progress =
        std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)>;

    Copier(Files& files, const std::string& store, const std::string& directory,
           const std::vector<SegmentCopy>& before, const Progress& progress)
        : files_(files), store_(store), directory_(directory), progress_(progress) {
        for (const SegmentCopy& copy : before) copies_[copy.number] = copy;
    }

    Result<LogCopy> run();

private:
    Status pass(bool last_try);
    Status read_others();
    Status look_for_gaps(const std::vector<std::uint32_t>& numbers, bool last_try);
    Status copy_segment(std::uint32_t number, bool newest);
    Status append_rest(std::uint32_t number, File& source, std::uint64_t bytes, bool newest,
                       std::uint64_t held);
    static Status check_copy(File& file, std::uint64_t bytes, bool newest, SegmentCopy& checked);
    tl::unexpected<Error> another_history(std::uint32_t number, std::string_view why) const;

    Files& files_;
    const std::string& store_;
    const std::string& directory_;
    const Progress& progress_;
    std::map<std::uint32_t, SegmentCopy> copies_;
    std::optional<Removed> removed_;
    LogCopy result_;
};

Result<LogCopy> Copier::run() {
    TRIBUTARY_TRY(files_.make_directories(join_path(directory_, "segments")));
    for (int tries = 1;; ++tries) {
        const Status done = pass(tries == kTriesMax);
        if (done) break;
        if (done.error().code != Errc::not_found || tries == kTriesMax)
            return tl::unexpected(done.error());
    }
    TRIBUTARY_TRY(files_.sync_directory(join_path(directory_, "segments")));
    for (const auto& [number, copy] : copies_) {
        result_.segments.push_back(copy);
        result_.damage.insert(result_.damage.end(), copy.damage.begin(), copy.damage.end());
    }
    return std::move(result_);
}

// What removal says is read before the segments are listed: of a segment that it names all that is
// wanted stands in others, which are still to be read.
Status Copier::pass(bool last_try) {
    result_.damage.clear();
    TRIBUTARY_TRY(read_others());
    TRIBUTARY_ASSIGN(const auto names, files_.list(join_path(store_, "segments")));
    std::vector<std::uint32_t> numbers;
    for (const std::string& name : names)
        if (const auto number = segment_number(name);
            number && !(removed_ && removed_->contains(*number)))
            numbers.push_back(*number);
    std::ranges::sort(numbers);
    TRIBUTARY_TRY(look_for_gaps(numbers, last_try));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (progress_) progress_("segments copied", i, numbers.size());
        TRIBUTARY_TRY(copy_segment(numbers[i], i + 1 == numbers.size()));
    }
    return {};
}

Status Copier::read_others() {
    auto removed = Removed::open(files_, join_path(store_, "removed"));
    removed_.reset();
    if (removed)
        removed_ = *std::move(removed);
    else if (removed.error().code == Errc::corrupt)
        result_.damage.push_back("removed.0, removed.1: damaged");
    else
        return tl::unexpected(removed.error());
    result_.others.clear();
    for (const char* name : {"format", "removed.0", "removed.1"}) {
        auto bytes = read_file(files_, join_path(store_, name), kSmallFileMax);
        if (bytes)
            result_.others[name] = *std::move(bytes);
        else if (bytes.error().code != Errc::not_found)
            return tl::unexpected(bytes.error());
    }
    return {};
}

// A segment that is not there was removed on purpose, just now perhaps, or is lost.
Status Copier::look_for_gaps(const std::vector<std::uint32_t>& numbers, bool last_try) {
    const std::uint32_t newest = numbers.empty() ? 0 : numbers.back();
    for (auto copy = copies_.begin(); copy != copies_.end();) {
        const std::uint32_t number = copy->first;
        if (removed_ && removed_->contains(number))
            copy = copies_.erase(copy);
        else if (number > newest)
            return another_history(number, "is not in the log any more");
        else
            ++copy;
    }
    std::size_t at = 0;
    for (std::uint32_t number = 1; number < newest; ++number) {
        if (numbers[at] == number) {
            ++at;
            continue;
        }
        if (removed_ && removed_->contains(number)) continue;
        if (!last_try) return fail(Errc::not_found, segment_name(number) + " is missing");
        result_.damage.push_back(segment_name(number) + (copies_.contains(number)
                                                             ? ": missing; its earlier copy is kept"
                                                             : ": missing"));
    }
    return {};
}

tl::unexpected<Error> Copier::another_history(std::uint32_t number, std::string_view why) const {
    return fail(Errc::conflict,
                segment_name(number) + " " + std::string(why) + ": " + directory_ +
                    " holds the copy of another log, or this one was put back to an earlier state "
                    "or is damaged; choose an empty folder");
}

Status Copier::copy_segment(std::uint32_t number, bool newest) {
    TRIBUTARY_ASSIGN(const auto source, files_.open_read(join_path(store_, segment_name(number))));
    TRIBUTARY_ASSIGN(const std::uint64_t bytes, source->size());
    const auto before = copies_.find(number);
    if (before == copies_.end()) return append_rest(number, *source, bytes, newest, 0);

    const SegmentCopy& held = before->second;
    const auto there = files_.stat(join_path(directory_, held.file()));
    if (!there || there->size < held.bytes)
        return append_rest(number, *source, bytes, newest, 0);  // the copy is lost
    if (!newest && bytes == held.bytes) return {};
    if (bytes < held.bytes) {
        if (newest) return another_history(number, "is shorter than what was copied of it");
        result_.damage.push_back(segment_name(number) + ": cut short; its earlier copy is kept");
        return {};
    }
    TRIBUTARY_ASSIGN(const Digest same, digest_of(*source, held.bytes));
    if (same != held.sha256) return another_history(number, "is not what was copied of it");
    if (bytes == held.bytes) return {};
    return append_rest(number, *source, bytes, newest, held.bytes);
}

// Copies from byte `held` on. Of a copy that is held, those bytes are never touched.
Status Copier::append_rest(std::uint32_t number, File& source, std::uint64_t bytes, bool newest,
                           std::uint64_t held) {
    SegmentCopy copy{number, 0, {}, {}};
    const std::string path = join_path(directory_, copy.file());
    std::unique_ptr<File> target;
    if (held > 0) {
        TRIBUTARY_ASSIGN(target, files_.open_append(path));
        TRIBUTARY_TRY(target->truncate(held));
    } else {
        if (auto gone = files_.remove(path); !gone && gone.error().code != Errc::not_found)
            return gone;
        TRIBUTARY_ASSIGN(target, files_.create(path));
    }
    const auto copy_it = [&]() -> Status {
        TRIBUTARY_TRY(
            each_block(source, held, bytes, [&](ByteView block) { return target->append(block); }));
        TRIBUTARY_TRY(check_copy(*target, bytes, newest, copy));
        if (copy.bytes < held) return another_history(number, "holds less than was copied of it");
        if (copy.bytes < bytes) TRIBUTARY_TRY(target->truncate(copy.bytes));
        return target->sync();
    };
    if (Status copied = copy_it(); !copied) {
        // The room is given back; what was held stays.
        (void)target->truncate(held);
        if (held == 0) (void)files_.remove(path);
        return copied;
    }
    if (newest && copy.bytes <= segment::Header::kBytes) return files_.remove(path);
    TRIBUTARY_ASSIGN(copy.sha256, digest_of(*target, copy.bytes));
    result_.copied_bytes += copy.bytes - held;
    copies_[number] = copy;
    return {};
}

// Reads the copy as recovery would: how much of it is the log's, and what is wrong in that.
Status Copier::check_copy(File& file, std::uint64_t bytes, bool newest, SegmentCopy& checked) {
    std::optional<segment::Tail> tail;
    if (!newest && bytes >= segment::Tail::kBytes) {
        Bytes back(segment::Tail::kBytes);
        TRIBUTARY_TRY(file.read_exactly(bytes - back.size(), back));
        tail = segment::parse_tail(back, bytes);
    }
    bool footer_sound = newest;
    if (tail) {
        Bytes footer(tail->footer_bytes());
        TRIBUTARY_TRY(file.read_exactly(tail->footer_offset, footer));
        footer_sound = segment::footer_is_sound(*tail, footer);
    }
    const auto read = [&](std::uint64_t at, ByteSpan out) { return file.read_at(at, out); };
    TRIBUTARY_ASSIGN(const segment::Scan scan,
                     segment::scan(tail ? tail->footer_offset : bytes, !newest, read,
                                   [](const segment::ScannedRecord&) { return Status(); }));
    checked.bytes = newest ? whole_batches(scan, bytes) : bytes;
    for (const segment::Damage& damage : scan.damage) {
        std::string what = checked.file() + " at byte " + std::to_string(damage.offset) + ": " +
                           std::to_string(damage.length) + " bytes are damaged";
        if (damage.key)
            what += ": " + std::string(name_of(damage.key->kind)) + " " + damage.key->name.text();
        checked.damage.push_back(std::move(what));
    }
    if (!footer_sound) checked.damage.push_back(checked.file() + ": its footer is damaged");
    return {};
}

}  // namespace

std::string SegmentCopy::file() const { return segment_name(number); }

Result<LogCopy> copy_log(Files& files, const std::string& store, const std::string& directory,
                         const std::vector<SegmentCopy>& before, const Copier::Progress& progress) {
    return Copier(files, store, directory, before, progress).run();
}

Result<Digest> sha256_of_file(Files& files, const std::string& path, std::uint64_t bytes) {
    TRIBUTARY_ASSIGN(const auto file, files.open_read(path));
    return digest_of(*file, bytes);
}

}  // namespace tributary
