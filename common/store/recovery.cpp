// How a log is opened: sealed segments by their tails, the newest by a scan; and how it is checked.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "common/store/log.h"

namespace tributary {
namespace {

constexpr const char* kNoFooter =
    "it has no sound footer (one that was damaged while it was open gets none); its records are "
    "still read";

// What check() finds anew, where it is still so, begins like this.
std::string at_byte(std::uint32_t number, std::uint64_t offset) {
    return segment_name(number) + " at byte " + std::to_string(offset) + ": ";
}

// Up to `count` bytes from `offset`.
Result<Bytes> read_some(File& file, std::uint64_t offset, std::size_t count) {
    Bytes bytes(count);
    TRIBUTARY_ASSIGN(const std::size_t held, file.read_at(offset, bytes));
    bytes.resize(held);
    return bytes;
}

// Keeps the newest few of what crashes tore: a board whose power is cut daily must not fill its
// disk.
Status forget_old_torn(Files& files, const std::string& quarantine) {
    constexpr std::size_t kTornKept = 8;
    TRIBUTARY_ASSIGN(auto names, files.list(quarantine));
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("torn-"); });
    for (std::size_t i = 0; i + kTornKept <= names.size(); ++i)
        TRIBUTARY_TRY(files.remove(join_path(quarantine, names[i])));
    return {};
}

// Whether the newest segment's footer, and the mark before it, are there to the last byte. They
// were perhaps never synced: a power cut may have kept the tail and lost a sector before it.
Result<bool> ends_whole(File& file, std::uint64_t bytes, const segment::Tail& tail) {
    if (tail.footer_offset < segment::AckMark::kBytes) return false;
    const std::uint64_t start = tail.footer_offset - segment::AckMark::kBytes;
    TRIBUTARY_ASSIGN(const Bytes ending,
                     read_some(file, start, static_cast<std::size_t>(bytes - start)));
    const auto ack = segment::parse_ack_mark(ending);
    return ack && ack->salt == tail.salt && ack->number == tail.last_batch &&
           segment::footer_is_sound(tail, ByteView(ending).subspan(segment::AckMark::kBytes));
}

// Whether a footer is the one of these records. How deep a record stands is taken at its word: a
// base that was coded anew since is not as deep as it was.
bool describes(const segment::Tail& tail, ByteView footer, const segment::Table& table) {
    std::vector<segment::Entry> said;
    for (std::uint32_t block = 0; block < tail.blocks(); ++block) {
        const auto at = static_cast<std::size_t>(tail.block_offset(block) - tail.footer_offset);
        const auto entries = segment::parse_block(footer.subspan(at, tail.block_bytes(block)));
        if (!entries) return false;
        said.insert(said.end(), entries->begin(), entries->end());
    }
    if (said.size() != table.entries().size()) return false;
    std::ranges::sort(said, {}, &segment::Entry::offset);
    segment::Table as_said;
    for (std::size_t i = 0; i < said.size(); ++i) {
        const segment::Entry& entry = table.entries()[i];
        as_said.add(entry.key, entry.offset, entry.length, said[i].depth, table.bases(entry));
    }
    return std::ranges::equal(footer, segment::encode_footer(as_said, tail.footer_offset, tail.salt,
                                                             tail.last_batch, tail.state));
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(Files& files, Entropy& entropy, std::string directory,
                                       const StoreOptions& options, bool read_only,
                                       std::uint64_t& written, RecoveryReport& report) {
    std::unique_ptr<Log> log(
        new Log(files, entropy, std::move(directory), options, read_only, written));
    TRIBUTARY_TRY(log->recover(report));
    return log;
}

Status Log::recover(RecoveryReport& report) {
    TRIBUTARY_ASSIGN(const auto names, files_.list(join_path(directory_, "segments")));
    std::vector<std::uint32_t> numbers;
    for (const std::string& name : names)
        if (const auto number = segment_number(name)) numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());
    auto removed = Removed::open(files_, join_path(directory_, "removed"));
    if (removed)
        removed_ = *std::move(removed);
    else if (removed.error().code != Errc::corrupt)
        return tl::unexpected(removed.error());
    else
        report.damage.push_back(
            "removed.0, removed.1: damaged: which segments were removed on purpose is not known");
    TRIBUTARY_TRY(finish_removal(numbers));

    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (options_.progress) options_.progress("segments opened", i, numbers.size());
        std::uint32_t expected = i == 0 ? 1 : numbers[i - 1] + 1;
        std::uint32_t last = numbers[i] - 1;
        while (expected <= last && was_removed(expected)) ++expected;
        while (expected <= last && was_removed(last)) --last;
        if (expected <= last) {
            report.damage.push_back(
                segment_name(expected) +
                (last == expected ? ": missing" : " to " + segment_name(last) + ": missing"));
            damage_at(last, 0);
        }
        next_segment_ = numbers[i] + 1;
        TRIBUTARY_TRY(open_segment(numbers[i], i + 1 == numbers.size(), report));
    }
    // The newest segment is never removed, so one stood behind all that were. The gap stays named.
    if (removed_ && removed_->greatest() >= next_segment_) {
        report.damage.push_back("the segments behind " + segment_name(removed_->greatest()) +
                                ": missing");
        damage_at(removed_->greatest(), 0);
        next_segment_ = removed_->greatest() + 2;
    }
    written_ += state_.written_bytes;
    return {};
}

// A crash came between the statement that they go and their going.
Status Log::finish_removal(std::vector<std::uint32_t>& numbers) {
    const auto first = std::stable_partition(
        numbers.begin(), numbers.end(), [&](std::uint32_t number) { return !was_removed(number); });
    const std::vector<std::uint32_t> removed(first, numbers.end());
    numbers.erase(first, numbers.end());
    if (removed.empty() || read_only_) return {};
    for (const std::uint32_t number : removed) TRIBUTARY_TRY(files_.remove(path_of(number)));
    return files_.sync_directory(join_path(directory_, "segments"));
}

Status Log::open_segment(std::uint32_t number, bool newest, RecoveryReport& report) {
    TRIBUTARY_ASSIGN(const auto file, files_.open_read(path_of(number)));
    TRIBUTARY_ASSIGN(const std::uint64_t bytes, file->size());
    TRIBUTARY_ASSIGN(const Bytes front, read_some(*file, 0, segment::Header::kBytes));
    const auto header = segment::parse_header(front);
    const std::uint64_t tail_at = bytes - std::min<std::uint64_t>(bytes, segment::Tail::kBytes);
    TRIBUTARY_ASSIGN(const Bytes back, read_some(*file, tail_at, segment::Tail::kBytes));
    const auto tail = segment::parse_tail(back, bytes);

    // What was cut off the end of a segment has no name.
    const bool goes_on = header && header->first_batch == next_batch_ && !sealed_.empty() &&
                         sealed_.back()->info.number + 1 == number;
    if (!goes_on && !sealed_.empty() && !sealed_.back()->info.whole) sealed_.back()->lost.reset();

    bool whole = tail && header && header->salt == tail->salt && header->number == number;
    if (whole && newest) {
        TRIBUTARY_ASSIGN(whole, ends_whole(*file, bytes, *tail));
    }
    if (whole) {
        auto sealed = std::make_unique<Sealed>();
        sealed->info = {number, tail->salt, bytes, tail->records, false, true};
        sealed->tail = *tail;
        if (header->first_batch > next_batch_ && !sealed_.empty() && !was_removed(number - 1)) {
            report.damage.push_back(segment_name(number) + ": batches before it are missing");
            damage_at(number, 0);
        }
        next_batch_ = tail->last_batch + 1;
        state_ = tail->state;
        sealed_.push_back(std::move(sealed));
        newest_may_be_unsynced_ = newest;
        return {};
    }
    if (newest && read_only_) return read_newest(number, bytes, report);
    if (newest) return recover_newest(number, bytes, report);

    // It was sealed before the next one began, so all of it was synced: what is wrong is damage.
    auto sealed = std::make_unique<Sealed>();
    sealed->table = std::make_unique<segment::Table>();
    TRIBUTARY_ASSIGN(const auto scan, scan_into(*sealed->table, *file, bytes, true, number));
    note_damage(number, scan, report.damage);
    report.damage.push_back(at_byte(number, scan.end) + kNoFooter);
    damage_at(number, scan.end);
    sealed->info = {number, scan.salt, bytes, sealed->table->entries().size(), false, false};
    sealed->lost = segment::lost_names(scan);
    next_batch_ = std::max(next_batch_, scan.last_batch + 1);
    if (scan.state) state_ = *scan.state;
    sealed_.push_back(std::move(sealed));
    return {};
}

// The one segment a crash may have caught in the middle of a write.
Status Log::recover_newest(std::uint32_t number, std::uint64_t bytes, RecoveryReport& report) {
    const std::string path = path_of(number);
    const std::string segments = join_path(directory_, "segments");
    auto open = std::make_unique<Open>();
    TRIBUTARY_ASSIGN(open->file, files_.open_append(path));
    TRIBUTARY_ASSIGN(const auto scan, scan_into(open->table, *open->file, bytes, false, number));
    note_damage(number, scan, report.damage);

    if (scan.damage.empty() && scan.nothing_kept()) {  // cut short while it was made
        TRIBUTARY_TRY(set_aside(number, *open->file, 0, bytes, report));
        open->file.reset();
        TRIBUTARY_TRY(files_.remove(path));
        TRIBUTARY_TRY(files_.sync_directory(segments));
        next_segment_ = number;
        return {};
    }
    next_batch_ = scan.last_batch + 1;
    if (scan.state) state_ = *scan.state;
    open->info = {number, scan.salt, bytes, open->table.entries().size(), true, true};
    if (!scan.damage.empty()) {  // nothing is cut off and nothing is added: the next one goes on
        TRIBUTARY_TRY(open->file->sync());
        TRIBUTARY_TRY(files_.sync_directory(segments));
        auto sealed = std::make_unique<Sealed>();
        sealed->info = open->info;
        sealed->info.open = sealed->info.whole = false;
        sealed->table = std::make_unique<segment::Table>(std::move(open->table));
        sealed->lost = segment::lost_names(scan);
        sealed_.push_back(std::move(sealed));
        return {};
    }

    if (scan.end < bytes) {
        TRIBUTARY_TRY(set_aside(number, *open->file, scan.end, bytes, report));
        TRIBUTARY_TRY(open->file->truncate(scan.end));
    }
    open->info.bytes = scan.end;
    // A whole last batch that nobody acknowledged may be in the page cache only; from now on it is
    // believed, so it must be durable.
    if (scan.end < bytes || !scan.last_acknowledged) {
        TRIBUTARY_TRY(open->file->sync());
        TRIBUTARY_TRY(files_.sync_directory(segments));
    }
    if (!scan.last_acknowledged) {
        Bytes ack;
        segment::append_ack_mark(ack, {scan.salt, scan.last_batch});
        TRIBUTARY_TRY(open->file->append(ack));
        open->info.bytes += ack.size();
    }
    open_ = std::move(open);
    return {};
}

// The same without changing anything: what was torn is passed over.
Status Log::read_newest(std::uint32_t number, std::uint64_t bytes, RecoveryReport& report) {
    TRIBUTARY_ASSIGN(const auto file, files_.open_read(path_of(number)));
    auto sealed = std::make_unique<Sealed>();
    sealed->table = std::make_unique<segment::Table>();
    TRIBUTARY_ASSIGN(const auto scan, scan_into(*sealed->table, *file, bytes, false, number));
    note_damage(number, scan, report.damage);
    if (scan.damage.empty() && scan.nothing_kept()) return {};
    if (scan.state) state_ = *scan.state;
    const std::uint64_t end = scan.damage.empty() ? scan.end : bytes;
    report.torn_bytes += bytes - end;
    sealed->info = {number, scan.salt,          end, sealed->table->entries().size(),
                    false,  scan.damage.empty()};
    sealed->was_open = true;
    sealed_.push_back(std::move(sealed));
    return {};
}

// Copies what is about to be cut off to quarantine/, unless it is a mark or a footer, which are
// made anew. A full disk does not stop recovery: nobody was told that these bytes are kept.
Status Log::set_aside(std::uint32_t number, File& file, std::uint64_t from, std::uint64_t to,
                      RecoveryReport& report) {
    TRIBUTARY_ASSIGN(const Bytes front, read_some(file, from, 4));
    if (to - from <= segment::AckMark::kBytes || as_text(front) == "TRBF") return {};
    report.torn_bytes += to - from;
    char name[64];
    std::snprintf(name, sizeof name, "torn-%06u-%llu", static_cast<unsigned>(number),
                  static_cast<unsigned long long>(from));
    const std::string directory = join_path(directory_, "quarantine");
    const std::string path = join_path(directory, name);
    const auto copy = [&]() -> Status {
        TRIBUTARY_TRY(files_.make_directories(directory));  // somebody may have removed it
        TRIBUTARY_TRY(forget_old_torn(files_, directory));
        if (auto removed = files_.remove(path); !removed && removed.error().code != Errc::not_found)
            return removed;
        TRIBUTARY_ASSIGN(const auto out, files_.create(path));
        for (std::uint64_t at = from; at < to;) {
            TRIBUTARY_ASSIGN(const Bytes part, read_some(file, at, 64 * 1024));
            if (part.empty()) break;
            const std::uint64_t left = to - at;
            TRIBUTARY_TRY(out->append(ByteView(part).first(
                static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), left)))));
            at += part.size();
        }
        TRIBUTARY_TRY(out->sync());
        return files_.sync_directory(directory);
    };
    auto copied = copy();
    if (!copied && copied.error().code == Errc::exhausted) return {};
    return copied;
}

Result<segment::Scan> Log::scan_into(segment::Table& table, File& file, std::uint64_t bytes,
                                     bool all_synced, std::optional<std::uint32_t> found_of) {
    const auto read = [&](std::uint64_t offset, ByteSpan out) { return file.read_at(offset, out); };
    return segment::scan(
        bytes, all_synced, read, [&](const segment::ScannedRecord& record) -> Status {
            const RecordHeader& header = record.header;
            const auto length = static_cast<std::uint32_t>(header.record_bytes());
            // As many as an open segment's table may hold: a file may be made of small frames.
            if (!record.shown && (!found_of || found_.size() >= options_.segment_records))
                return {};
            TRIBUTARY_ASSIGN(const auto depth, depth_over(table, header.kind, header.bases()));
            if (record.shown) {
                table.add(header.key(), record.offset, length, depth, header.bases());
            } else {
                found_.insert({header.key(), {*found_of, record.offset, length, depth}});
            }
            return {};
        });
}

// The depth of a record over its bases, which stand in `table` or in an older segment.
Result<std::uint8_t> Log::depth_over(const segment::Table& table, RecordKind kind,
                                     std::span<const Digest> bases) {
    std::uint8_t depth = 0;
    for (const Digest& base : bases) {
        const RecordKey key{kind, base};
        std::uint8_t below = Place::kDepthUnknown;
        if (const segment::Entry* entry = table.find(key)) {
            below = entry->depth;
        } else {
            TRIBUTARY_ASSIGN(const auto place, find(key));
            if (place) below = place->depth;
        }
        if (below >= Place::kDepthUnknown - 1) return std::uint8_t{Place::kDepthUnknown};
        depth = std::max(depth, static_cast<std::uint8_t>(below + 1));
    }
    return depth;
}

void Log::note_damage(std::uint32_t number, const segment::Scan& scan,
                      std::vector<std::string>& damage) {
    for (const segment::Damage& d : scan.damage) damage.push_back(note_damage(number, d));
}

std::string Log::note_damage(std::uint32_t number, const segment::Damage& damage) {
    std::string text =
        at_byte(number, damage.offset) + std::to_string(damage.length) + " bytes of " +
        (damage.batch == 0 ? "its header" : "batch " + std::to_string(damage.batch)) +
        " are damaged";
    if (damage.key) {
        text += ": " + std::string(name_of(damage.key->kind)) + " " + damage.key->name.text();
        damaged_keys_.insert(*damage.key);
    }
    damage_at(number, damage.offset + damage.length);
    return text;
}

// Whether that record is sound in another place: recorded again, or had from the hub.
Result<bool> Log::stands_elsewhere(const RecordKey& key, std::uint32_t number,
                                   std::uint64_t offset) {
    damaged_places_.insert({number, static_cast<std::uint32_t>(offset)});
    damaged_keys_.insert(key);
    return stands(key);
}

// ---- check ----

Result<std::vector<std::string>> Log::check(std::set<RecordKey>& damaged,
                                            const std::function<bool(std::uint32_t)>& wanted) {
    std::vector<std::string> wrong;
    std::uint64_t done = 0;
    for (const auto& sealed : sealed_) {
        if (!wanted(sealed->info.number)) continue;
        if (options_.progress) options_.progress("segments checked", done++, sealed_.size());
        TRIBUTARY_ASSIGN(auto found, check_sealed(*sealed, damaged));
        wrong.insert(wrong.end(), found.begin(), found.end());
    }
    if (open_ && wanted(open_->info.number)) {
        segment::Table table;
        TRIBUTARY_ASSIGN(const auto scan, scan_into(table, *open_->file, open_->info.bytes, true));
        note_damage(open_->info.number, scan, wrong);
    }
    for (const RecordKey& key : damaged_keys_) {
        TRIBUTARY_ASSIGN(const bool sound, stands(key));
        if (!sound) damaged.insert(key);
    }
    return wrong;
}

// Every byte of one sealed segment: the records by a scan, the footer by comparing it with what the
// scan found. Damage is what it cost: not a record that is sound elsewhere.
Result<std::vector<std::string>> Log::check_sealed(Sealed& sealed, std::set<RecordKey>& damaged) {
    std::vector<std::string> wrong;
    const std::uint32_t number = sealed.info.number;
    TRIBUTARY_ASSIGN(const auto file, files_.open_read(path_of(number)));
    if (sealed.was_open) {
        segment::Table table;
        TRIBUTARY_ASSIGN(const auto scan, scan_into(table, *file, sealed.info.bytes, true));
        note_damage(number, scan, wrong);
        return wrong;
    }
    TRIBUTARY_ASSIGN(const std::uint64_t bytes, file->size());
    TRIBUTARY_ASSIGN(const Bytes back,
                     read_some(*file, bytes - std::min<std::uint64_t>(bytes, segment::Tail::kBytes),
                               segment::Tail::kBytes));
    const auto tail = segment::parse_tail(back, bytes);
    segment::Table table;
    TRIBUTARY_ASSIGN(const auto scan,
                     scan_into(table, *file, tail ? tail->footer_offset : bytes, true));
    std::vector<const segment::Damage*> nameless;
    for (const segment::Damage& damage : scan.damage) {
        bool sound = false;
        if (damage.key) {
            TRIBUTARY_ASSIGN(sound, stands_elsewhere(*damage.key, number, damage.offset));
        } else {
            nameless.push_back(&damage);
        }
        if (damage.key && !sound) wrong.push_back(note_damage(number, damage));
    }
    if (!tail) {
        for (const segment::Damage* damage : nameless)
            wrong.push_back(note_damage(number, *damage));
        if (scan.damage.empty() || !wrong.empty() || !sealed.lost)
            wrong.push_back(at_byte(number, scan.end) + kNoFooter);
        return wrong;
    }
    Bytes footer(tail->footer_bytes());
    TRIBUTARY_TRY(file->read_exactly(tail->footer_offset, footer));
    if (scan.damage.empty()) {
        if (!describes(*tail, footer, table))
            wrong.push_back(at_byte(number, tail->footer_offset) + "its footer is damaged");
        return wrong;
    }
    // The footer says where each record stands, also those that the scan could not be sure of; one
    // that is not sound there is damaged, and the footer knows its name.
    std::set<const segment::Damage*> made_good;
    const auto nameless_at = [&](const segment::Entry& entry) {
        const auto at = std::ranges::find_if(nameless, [&](const segment::Damage* damage) {
            return damage->offset < std::uint64_t{entry.offset} + entry.length &&
                   entry.offset < damage->offset + damage->length;
        });
        return at == nameless.end() ? nullptr : *at;
    };
    for (std::uint32_t block = 0; block < tail->blocks(); ++block) {
        const auto start =
            static_cast<std::size_t>(tail->block_offset(block) - tail->footer_offset);
        const auto entries =
            segment::parse_block(ByteView(footer).subspan(start, tail->block_bytes(block)));
        if (!entries) {
            wrong.push_back(at_byte(number, tail->block_offset(block)) + "its footer is damaged");
            continue;
        }
        for (const segment::Entry& entry : *entries) {
            const segment::Entry* const scanned = table.find(entry.key);
            if (scanned && scanned->offset == entry.offset) continue;
            Bytes frame(entry.length);
            if (file->read_exactly(entry.offset, frame)) {
                const auto record = parse_record(frame);
                if (record && record->header.key() == entry.key) continue;
            }
            TRIBUTARY_ASSIGN(const bool sound, stands_elsewhere(entry.key, number, entry.offset));
            if (sound) {
                made_good.insert(nameless_at(entry));
                continue;
            }
            damaged.insert(entry.key);
            wrong.push_back(at_byte(number, entry.offset) + std::string(name_of(entry.key.kind)) +
                            " " + entry.key.name.text() + " cannot be read");
        }
    }
    // Of bytes without a name it is known what they were when a record there was lost.
    for (const segment::Damage* damage : nameless)
        if (!made_good.contains(damage)) wrong.push_back(note_damage(number, *damage));
    return wrong;
}

}  // namespace tributary
