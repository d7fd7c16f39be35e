#include "hub/store/backup.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "common/hash/hash.h"
#include "hub/store/ledger.h"
#include "hub/store/manifest.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kSmallFileMax = 4 * limits::MiB;
constexpr std::size_t kBlockBytes = 1024 * 1024;
constexpr const char* kKeyName = "key.pem";
constexpr const char* kConfigName = "hub.toml";

// ---- making one ----

// A folder of somebody else's files is not one to tidy up in.
Status check_target(Files& files, const std::string& directory) {
    static const std::set<std::string> kOurs = {"files", "lock", "manifest.json",
                                                "manifest.json.tmp", "segments"};
    TRIBUTARY_ASSIGN(const auto names, files.list(directory));
    for (const std::string& name : names)
        if (!kOurs.contains(name) && name != "lost+found")
            return fail(Errc::invalid, directory + " holds '" + name +
                                           "', which is of no backup; choose an empty folder, or "
                                           "that of an earlier backup of this hub");
    return {};
}

bool holds(Files& files, const std::string& path, const BackupManifest::SmallFile& file) {
    const auto there = read_file(files, path, kSmallFileMax);
    return there && there->size() == file.bytes && sha256(*there) == file.sha256;
}

// Adds a small file; what is there already is not written again.
Status add_file(Files& files, const std::string& directory, const std::string& name, ByteView bytes,
                BackupManifest& manifest, std::uint64_t& copied_bytes) {
    const BackupManifest::SmallFile file{bytes.size(), sha256(bytes)};
    manifest.files[name] = file;
    const std::string path = join_path(directory, file.file());
    if (holds(files, path, file)) return {};
    copied_bytes += bytes.size();
    return replace_file(files, path, bytes);
}

// What no manifest names any more. Nothing is lost when it stays, so a failure is none.
void tidy_up(Files& files, const std::string& directory, const BackupManifest& manifest) {
    std::set<std::string> wanted;
    for (const SegmentCopy& copy : manifest.segments) wanted.insert(copy.file());
    for (const auto& [name, file] : manifest.files) wanted.insert(file.file());
    for (const char* folder : {"segments", "files"}) {
        const auto names = files.list(join_path(directory, folder));
        if (!names) continue;
        for (const std::string& name : *names)
            if (!wanted.contains(join_path(folder, name)))
                (void)files.remove(join_path(join_path(directory, folder), name));
    }
}

Result<BackupManifest> copy_all(Files& files, const std::string& state_dir,
                                const std::string& directory, const BackupOptions& options,
                                const std::vector<SegmentCopy>& before,
                                std::uint64_t& copied_bytes) {
    BackupManifest manifest;
    const auto add = [&](const std::string& name, ByteView bytes) {
        return add_file(files, directory, name, bytes, manifest, copied_bytes);
    };
    TRIBUTARY_TRY(files.make_directories(join_path(directory, "files")));
    if (options.with_key) {
        TRIBUTARY_ASSIGN(const Bytes key,
                         read_file(files, join_path(state_dir, kKeyName), kSmallFileMax));
        TRIBUTARY_TRY(add(kKeyName, key));
    }
    if (!options.config_path.empty()) {
        TRIBUTARY_ASSIGN(const Bytes config, read_file(files, options.config_path, kSmallFileMax));
        TRIBUTARY_TRY(add(kConfigName, config));
    }
    TRIBUTARY_ASSIGN(LogCopy log, copy_log(files, join_path(state_dir, "store"), directory, before,
                                           options.progress));
    for (const auto& [name, bytes] : log.others)
        TRIBUTARY_TRY(add(join_path("store", name), bytes));
    copied_bytes += log.copied_bytes;
    manifest.segments = std::move(log.segments);
    manifest.damage = std::move(log.damage);
    return manifest;
}

// ---- taking it back ----

// Hands out the bytes of one file of the backup; corrupt when they are not those of the manifest.
Status read_checked(Files& files, const std::string& path, std::uint64_t bytes,
                    const Digest& digest, const std::function<Status(ByteView)>& take) {
    TRIBUTARY_ASSIGN(const auto file, files.open_read(path));
    Sha256 hash;
    Bytes buffer(kBlockBytes);
    for (std::uint64_t at = 0; at < bytes;) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, bytes - at));
        TRIBUTARY_ASSIGN(const std::size_t got, file->read_at(at, ByteSpan(buffer).first(count)));
        if (got == 0) return fail(Errc::corrupt, path + " is cut short");
        hash.update(ByteView(buffer).first(got));
        TRIBUTARY_TRY(take(ByteView(buffer).first(got)));
        at += got;
    }
    if (hash.finish() != digest) return fail(Errc::corrupt, path + " is damaged");
    return {};
}

struct FileOfBackup {
    std::string name;  // in the state_dir
    std::string file;  // in the backup
    std::uint64_t bytes = 0;
    Digest sha256;
    bool is_segment = false;
};

// Of the manifest, what a hub's state_dir consists of.
std::vector<FileOfBackup> files_to_restore(const BackupManifest& manifest) {
    std::vector<FileOfBackup> all;
    for (const auto& [name, file] : manifest.files)
        if (name != kConfigName) all.push_back({name, file.file(), file.bytes, file.sha256, false});
    for (const SegmentCopy& copy : manifest.segments)
        all.push_back(
            {join_path("store", copy.file()), copy.file(), copy.bytes, copy.sha256, true});
    return all;
}

class Restorer {
public:
    Restorer(Files& files, const std::string& directory, const std::string& state_dir,
             const RestoreOptions& options, BackupManifest manifest)
        : files_(files),
          directory_(directory),
          state_dir_(state_dir),
          options_(options),
          manifest_(std::move(manifest)),
          all_(files_to_restore(manifest_)) {}

    Status check(RestoreReport& report);
    Status check_place();
    Status fill();
    Status open(Clock& clock, Entropy& entropy, RestoreReport& report);

private:
    Status read_key();
    Status copy(const FileOfBackup& file);

    Files& files_;
    const std::string& directory_;
    const std::string& state_dir_;
    const RestoreOptions& options_;
    BackupManifest manifest_;
    std::vector<FileOfBackup> all_;
    std::optional<Bytes> key_;  // given beside the backup
};

// Every byte, before anything is made.
Status Restorer::check(RestoreReport& report) {
    TRIBUTARY_TRY(read_key());
    std::string wrong;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (options_.progress) options_.progress("files checked", i, all_.size());
        const FileOfBackup& file = all_[i];
        const Status sound = read_checked(files_, join_path(directory_, file.file), file.bytes,
                                          file.sha256, [](ByteView) { return Status(); });
        if (sound) continue;
        const bool damaged =
            sound.error().code == Errc::corrupt || sound.error().code == Errc::not_found;
        if (!damaged) return sound;
        report.damage.push_back(sound.error().what);
        if (!(options_.salvage && file.is_segment))
            wrong += (wrong.empty() ? "" : "; ") + sound.error().what;
    }
    if (wrong.empty()) return {};
    return fail(Errc::corrupt, wrong +
                                   "; restore from another copy of this backup, or take what is "
                                   "sound in it with --salvage");
}

Status Restorer::read_key() {
    if (options_.key_path.empty()) {
        if (options_.check || manifest_.files.contains(kKeyName)) return {};
        return fail(Errc::invalid,
                    "this backup was made without the hub's private key; say --key FILE: a hub "
                    "with another key is a stranger to its boards");
    }
    TRIBUTARY_ASSIGN(key_, read_file(files_, options_.key_path, kSmallFileMax));
    std::erase_if(all_, [](const FileOfBackup& file) { return file.name == kKeyName; });
    return {};
}

Status Restorer::check_place() {
    const auto names = files_.list(state_dir_);
    if (!names && names.error().code == Errc::not_found) return {};
    if (!names) return tl::make_unexpected(names.error());
    for (const std::string& name : *names)
        if (name != "lost+found")
            return fail(Errc::conflict, state_dir_ + " is not empty (it holds '" + name +
                                            "'); a hub is restored into an empty folder only. "
                                            "Move what is there away, or set another state_dir");
    return {};
}

// The mark that the folder is no hub yet comes first and goes last.
Status Restorer::fill() {
    TRIBUTARY_TRY(files_.make_directories(join_path(state_dir_, "store/segments")));
    TRIBUTARY_TRY(files_.make_directories(join_path(state_dir_, "store/quarantine")));
    TRIBUTARY_TRY(replace_file(files_, join_path(state_dir_, kRestoringName),
                               as_bytes("unfinished: empty this folder and restore again\n")));
    if (key_) TRIBUTARY_TRY(replace_file(files_, join_path(state_dir_, kKeyName), *key_));
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (options_.progress) options_.progress("files restored", i, all_.size());
        const Status copied = copy(all_[i]);
        const bool damaged = !copied && (copied.error().code == Errc::corrupt ||
                                         copied.error().code == Errc::not_found);
        const bool salvaged = damaged && options_.salvage && all_[i].is_segment;
        if (!copied && !salvaged) return copied;
    }
    for (const char* folder : {"store/segments", "store", "."})
        TRIBUTARY_TRY(files_.sync_directory(join_path(state_dir_, folder)));
    return files_.sync_directory(std::string(parent_path(state_dir_)));
}

Status Restorer::copy(const FileOfBackup& file) {
    const std::string source = join_path(directory_, file.file);
    if (const auto there = files_.stat_target(source); !there)
        return tl::make_unexpected(there.error());
    TRIBUTARY_ASSIGN(const auto target, files_.create(join_path(state_dir_, file.name)));
    const Status copied = read_checked(files_, source, file.bytes, file.sha256,
                                       [&](ByteView block) { return target->append(block); });
    TRIBUTARY_TRY(target->sync());
    return copied;
}

// Builds the index, begins the new epoch, and only then makes the folder a hub's.
Status Restorer::open(Clock& clock, Entropy& entropy, RestoreReport& report) {
    StoreOptions options = options_.store;
    options.progress = options_.progress;
    TRIBUTARY_ASSIGN(const auto ledger, Ledger::open(files_, clock, entropy, state_dir_, options,
                                                     Epoch::next, options_.key_passphrase));
    for (const std::string& damage : ledger->store().recovery().damage)
        if (std::ranges::find(report.damage, damage) == report.damage.end())
            report.damage.push_back(damage);
    report.epoch = ledger->epoch();
    report.devices = ledger->catalog().devices().size();
    report.continues_sequence = ledger->continues_sequence();
    TRIBUTARY_TRY(files_.remove(join_path(state_dir_, kRestoringName)));
    return files_.sync_directory(state_dir_);
}

}  // namespace

Result<BackupReport> back_up(Files& files, Clock& clock, const std::string& state_dir,
                             const std::string& directory, const BackupOptions& options) {
    // 1. Is there a hub, and is there a place for its backup?
    TRIBUTARY_TRY(check_no_restore_under_way(files, state_dir));
    if (const auto log = files.list(join_path(state_dir, "store/segments")); !log)
        return with_context("there is no hub's store to back up in " + state_dir, log.error());
    TRIBUTARY_TRY(files.make_directories(directory));
    TRIBUTARY_TRY(check_target(files, directory));
    TRIBUTARY_ASSIGN(const auto lock,
                     files.lock(join_path(directory, "lock"), "tributary-hub backup"));
    // 2. What the backup before holds stays as it is.
    TRIBUTARY_ASSIGN(const auto before, load_manifest(files, directory));
    BackupReport report;
    const auto no_new_one = [&](const Error& error) {
        const std::string context = before ? "the backup of " + to_text(before->made) +
                                                 " stays as it was, no new one was made"
                                           : std::string("no backup was made");
        return with_context(context, error);
    };
    auto copied =
        copy_all(files, state_dir, directory, options,
                 before ? before->segments : std::vector<SegmentCopy>(), report.copied_bytes);
    if (!copied) return no_new_one(copied.error());
    // 3. All is durable: from here on this is the backup.
    copied->made = clock.wall();
    copied->software = "tributary-hub " TRIBUTARY_VERSION;
    if (const Status saved = save_manifest(files, directory, *copied); !saved)
        return no_new_one(saved.error());
    tidy_up(files, directory, *copied);

    report.segments = copied->segments.size();
    report.bytes = copied->bytes();
    report.has_key = copied->files.contains(kKeyName);
    report.damage = copied->damage;
    return report;
}

Result<RestoreReport> restore(Files& files, Clock& clock, Entropy& entropy,
                              const std::string& directory, const std::string& state_dir,
                              const RestoreOptions& options) {
    TRIBUTARY_ASSIGN(auto manifest, load_manifest(files, directory));
    if (!manifest)
        return fail(Errc::not_found, directory + " holds no finished backup (there is no " +
                                         std::string(kManifestName) + ")");
    RestoreReport report;
    report.made = manifest->made;
    report.segments = manifest->segments.size();
    report.bytes = manifest->bytes();
    report.damage = manifest->damage;
    Restorer restorer(files, directory, state_dir, options, *std::move(manifest));
    if (!options.check) TRIBUTARY_TRY(restorer.check_place());
    TRIBUTARY_TRY(restorer.check(report));
    if (options.check) return report;
    const auto cut_short = [&](const Error& error) {
        return with_context("the restore into " + state_dir +
                                " was cut short; empty that folder before the next one",
                            error);
    };
    if (const Status filled = restorer.fill(); !filled) return cut_short(filled.error());
    if (const Status opened = restorer.open(clock, entropy, report); !opened)
        return cut_short(opened.error());
    return report;
}

}  // namespace tributary::hub
