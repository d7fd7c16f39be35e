#include "tests/support/sim_files.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <set>

#include "common/env/file_error.h"

namespace tributary::test {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kTickNs = 1'000'000;

std::deque<std::string> components(const std::string& path) {
    std::deque<std::string> parts;
    std::size_t at = 0;
    while (at < path.size()) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        if (slash > at) parts.push_back(path.substr(at, slash - at));
        at = slash + 1;
    }
    return parts;
}

// One change of a file's content that waits for a sync.
struct Write {
    std::uint64_t offset = 0;  // for a truncation: the new length
    Bytes bytes;
    bool truncation = false;
    bool doomed = false;  // a sync of it failed

    void apply_to(Bytes& image, std::size_t length) const {
        const auto from = static_cast<std::size_t>(offset);
        if (truncation) return image.resize(from);
        if (image.size() < from + length) image.resize(from + length);
        std::copy_n(bytes.begin(), length, image.begin() + static_cast<std::ptrdiff_t>(from));
    }
};

}  // namespace

struct SimFiles::Node {
    FileStatus::Kind kind = FileStatus::Kind::regular;
    std::uint64_t inode = 0;
    std::uint64_t changed_ns = 0;
    // regular
    bool executable = false;
    Bytes content, durable_content;
    std::vector<Write> writes;
    // directory
    std::map<std::string, NodePtr> entries, durable_entries;
    // symlink
    std::string target;

    void write(Write write) {
        write.apply_to(content, write.bytes.size());
        writes.push_back(std::move(write));
    }
    void sync() {
        for (const Write& write : writes)
            if (!write.doomed) write.apply_to(durable_content, write.bytes.size());
        std::erase_if(writes, [](const Write& write) { return !write.doomed; });
    }
    void fail_sync() {
        for (Write& write : writes) write.doomed = true;
    }
    // What the medium holds after the power went.
    void settle(Random& random) {
        const std::uint64_t kept_of_8 = random.below(9u);  // from "all lost" to "all there"
        std::erase_if(writes, [&](const Write& write) {
            return write.doomed || random.below(8u) >= kept_of_8;
        });
        for (const Write& write : writes) {
            std::size_t length = write.bytes.size();
            if (&write == &writes.back() && length > 0 && random.one_in(2)) {
                const std::uint64_t end = write.offset + random.below(length);
                const std::uint64_t sector = end / kSectorBytes * kSectorBytes;
                length = static_cast<std::size_t>(std::max(sector, write.offset) - write.offset);
            }
            write.apply_to(durable_content, length);
        }
        writes.clear();
        content = durable_content;
    }
};

// Where a path leads: its directory and last name, and the node when there is one.
struct SimFiles::Place {
    NodePtr directory;
    std::string name;
    NodePtr node;
    int error_number = 0;  // also ENOENT when only the last name is missing
};

// Names that change together or not at all.
struct SimFiles::DirectoryChange {
    struct Name {
        NodePtr directory;
        std::string name;
        NodePtr node;  // null: the name goes
    };
    std::vector<Name> names;

    void apply(std::map<std::string, NodePtr> Node::*entries) const {
        for (const Name& n : names) {
            if (n.node)
                ((*n.directory).*entries)[n.name] = n.node;
            else
                ((*n.directory).*entries).erase(n.name);
        }
    }
};

class SimFile final : public OverwritableFile {
public:
    SimFile(SimFiles& disk, SimFiles::NodePtr node, std::string path, bool writable)
        : disk_(disk),
          node_(std::move(node)),
          path_(std::move(path)),
          generation_(disk.generation_),
          writable_(writable) {}

    Result<std::size_t> read_at(std::uint64_t offset, ByteSpan out) override {
        const std::lock_guard guard(disk_.mutex_);
        if (const int e = begin(SimFiles::Effect::read)) return file_error("read", path_, e);
        const Bytes& content = node_->content;
        if (offset >= content.size()) return std::size_t{0};
        const std::size_t length =
            std::min(out.size(), content.size() - static_cast<std::size_t>(offset));
        const std::size_t from =
            disk_.place_of_read(static_cast<std::size_t>(offset), content.size());
        for (std::size_t i = 0; i < length; ++i) out[i] = content[(from + i) % content.size()];
        disk_.counters_.read_bytes += length;
        return length;
    }
    Status append(ByteView bytes) override { return write(bytes, std::nullopt); }
    Status write_at(std::uint64_t offset, ByteView bytes) override { return write(bytes, offset); }
    Status sync() override {
        const std::lock_guard guard(disk_.mutex_);
        disk_.counters_.syncs += 1;
        if (const int e = begin(SimFiles::Effect::sync)) {
            if (alive()) node_->fail_sync();
            return file_error("sync", path_, e);
        }
        node_->sync();
        return {};
    }
    Status truncate(std::uint64_t size) override {
        const std::lock_guard guard(disk_.mutex_);
        const int e = writable_ ? begin(SimFiles::Effect::truncate) : EBADF;
        if (e != 0) return file_error("truncate", path_, e);
        change({size, {}, true, false});
        return {};
    }
    Result<std::uint64_t> size() override {
        const std::lock_guard guard(disk_.mutex_);
        if (!alive()) return file_error("read the size of", path_, EIO);
        return std::uint64_t{node_->content.size()};
    }

private:
    bool alive() const { return disk_.powered_ && generation_ == disk_.generation_; }
    int begin(SimFiles::Effect effect) {
        if (!alive()) return EIO;
        const int e = disk_.begin(effect, path_);
        return alive() ? e : EIO;  // the hook may have cut the power
    }
    // nullopt: at its end. Room is taken by what makes it longer.
    Status write(ByteView bytes, std::optional<std::uint64_t> offset) {
        const std::lock_guard guard(disk_.mutex_);
        int e = writable_ ? begin(SimFiles::Effect::append) : EBADF;
        const bool dead = !alive();
        const std::uint64_t at = offset.value_or(node_->content.size());
        const std::uint64_t end = std::max<std::uint64_t>(at + bytes.size(), node_->content.size());
        const std::uint64_t grows = end - node_->content.size();
        if (e == 0 && grows != 0 && disk_.used_bytes() + grows > disk_.capacity_) e = ENOSPC;
        if (e != 0 && (dead || !writable_)) return file_error("write", path_, e);
        if (e != 0) bytes = bytes.first(bytes.size() / 2);
        disk_.counters_.appends += 1;
        disk_.counters_.appended_bytes += bytes.size();
        change({at, Bytes(bytes.begin(), bytes.end()), false, false});
        if (e != 0) return file_error("write", path_, e);
        return {};
    }
    void change(Write write) {
        node_->write(std::move(write));
        node_->changed_ns = ++disk_.ticks_ * kTickNs;
    }

    SimFiles& disk_;
    SimFiles::NodePtr node_;
    std::string path_;
    std::uint64_t generation_;
    bool writable_;
};

class SimLock final : public FileLock {
public:
    SimLock(SimFiles& disk, std::uint64_t inode)
        : disk_(disk), inode_(inode), generation_(disk.generation_) {}
    ~SimLock() override {
        const std::lock_guard guard(disk_.mutex_);
        const auto held = disk_.locks_.find(inode_);
        if (held != disk_.locks_.end() && held->second == generation_) disk_.locks_.erase(held);
    }

private:
    SimFiles& disk_;
    std::uint64_t inode_;
    std::uint64_t generation_;
};

SimFiles::SimFiles() : root_(new_node(FileStatus::Kind::directory)) {}
SimFiles::~SimFiles() = default;

// ---- trouble ----

void SimFiles::crash(std::uint64_t seed) {
    const std::lock_guard guard(mutex_);
    Random random(seed);
    std::set<std::pair<const Node*, std::string>> lost;
    const std::uint64_t kept_of_8 = random.below(9u);
    for (const DirectoryChange& waiting : waiting_) {
        const bool depends = std::ranges::any_of(waiting.names, [&](const auto& n) {
            return lost.contains({n.directory.get(), n.name});
        });
        if (random.below(8u) < kept_of_8 && !depends)
            waiting.apply(&Node::durable_entries);
        else
            for (const auto& n : waiting.names) lost.insert({n.directory.get(), n.name});
    }
    waiting_.clear();
    std::vector<NodePtr> open{root_};
    while (!open.empty()) {
        const NodePtr node = open.back();
        open.pop_back();
        node->settle(random);
        node->entries = node->durable_entries;
        for (const auto& [name, child] : node->entries) open.push_back(child);
    }
    locks_.clear();
    ++generation_;
    powered_ = false;
}

void SimFiles::restart() {
    const std::lock_guard guard(mutex_);
    powered_ = true;
}

void SimFiles::set_hook(std::function<void(Effect, const std::string&)> hook) {
    const std::lock_guard guard(mutex_);
    hook_ = std::move(hook);
}

void SimFiles::crash_before_effect(std::uint64_t number, std::uint64_t seed) {
    set_hook([this, number, seed](Effect, const std::string&) {
        if (effects_ == number) crash(seed);
    });
}

std::uint64_t SimFiles::effects() const {
    const std::lock_guard guard(mutex_);
    return effects_;
}

void SimFiles::fail_call(Effect effect, std::uint64_t nth, int error_number) {
    TRIBUTARY_CHECK(nth > 0);
    const std::lock_guard guard(mutex_);
    failures_[effect].emplace_back(nth, error_number);
}

void SimFiles::misdirect_read(std::uint64_t nth, std::uint64_t seed) {
    const std::lock_guard guard(mutex_);
    misdirected_ = Misdirected{nth, Random(seed)};
}

std::size_t SimFiles::place_of_read(std::size_t offset, std::size_t size) {
    if (!misdirected_ || --misdirected_->reads_to_go != 0) return offset;
    const std::uint64_t away = misdirected_->random.below(std::uint64_t{size});
    misdirected_.reset();
    return (offset + static_cast<std::size_t>(away)) % size;
}

void SimFiles::flip_bit(const std::string& path, std::uint64_t bit) {
    const std::lock_guard guard(mutex_);
    const Place place = walk(path, true);
    TRIBUTARY_CHECK(place.node && bit / 8 < place.node->content.size());
    const auto at = static_cast<std::size_t>(bit / 8);
    const auto mask = static_cast<std::uint8_t>(1u << (bit % 8));
    place.node->content[at] ^= mask;
    if (at < place.node->durable_content.size()) place.node->durable_content[at] ^= mask;
}

void SimFiles::rewrite(const std::string& path, const std::function<void(Bytes&)>& change) {
    const std::lock_guard guard(mutex_);
    const Place place = walk(path, true);
    TRIBUTARY_CHECK(place.node);
    place.node->sync();
    change(place.node->durable_content);
    place.node->content = place.node->durable_content;
}

void SimFiles::set_capacity(std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    capacity_ = bytes;
}

int SimFiles::begin(Effect effect, const std::string& path) {
    if (!powered_) return EIO;
    if (effect != Effect::read) {
        if (const auto hook = hook_) hook(effect, path);
        if (!powered_) return EIO;
        ++effects_;
    }
    int error_number = 0;
    auto& failures = failures_[effect];
    for (auto& [calls_to_go, e] : failures)
        if (--calls_to_go == 0) error_number = e;
    std::erase_if(failures, [](const auto& failure) { return failure.first == 0; });
    return error_number;
}

// ---- the tree ----

SimFiles::NodePtr SimFiles::new_node(FileStatus::Kind kind) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->inode = next_inode_++;
    node->changed_ns = ++ticks_ * kTickNs;
    return node;
}

SimFiles::Place SimFiles::walk(const std::string& path, bool follow_last) {
    constexpr int kLinksMax = 40;
    std::deque<std::string> parts = components(path);
    std::vector<NodePtr> stack{root_};
    int links = 0;
    if (path.empty()) return {nullptr, "", nullptr, ENOENT};
    while (!parts.empty()) {
        const std::string name = parts.front();
        parts.pop_front();
        const NodePtr directory = stack.back();
        if (directory->kind != FileStatus::Kind::directory) return {nullptr, "", nullptr, ENOTDIR};
        if (name == ".") continue;
        if (name == "..") {
            if (stack.size() > 1) stack.pop_back();
            continue;
        }
        if (name.size() > 255) return {nullptr, "", nullptr, ENAMETOOLONG};
        const auto found = directory->entries.find(name);
        if (found == directory->entries.end())
            return {parts.empty() ? directory : nullptr, name, nullptr, ENOENT};
        const NodePtr node = found->second;
        if (node->kind == FileStatus::Kind::symlink && (!parts.empty() || follow_last)) {
            if (++links > kLinksMax) return {nullptr, "", nullptr, ELOOP};
            const auto target = components(node->target);
            parts.insert(parts.begin(), target.begin(), target.end());
            if (node->target.starts_with('/')) stack = {root_};
            continue;
        }
        if (parts.empty()) return {directory, name, node, 0};
        stack.push_back(node);
    }
    return {nullptr, "", stack.back(), 0};
}

void SimFiles::change(DirectoryChange change) {
    change.apply(&Node::entries);
    for (const auto& n : change.names) n.directory->changed_ns = ++ticks_ * kTickNs;
    waiting_.push_back(std::move(change));
}

// With every earlier change of the same names: a name never goes back in time.
void SimFiles::make_durable(const Node& directory) {
    std::set<std::pair<const Node*, std::string>> names;
    std::vector<DirectoryChange> durable;
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        const bool taken = std::ranges::any_of(waiting_[i].names, [&](const auto& n) {
            return n.directory.get() == &directory || names.contains({n.directory.get(), n.name});
        });
        if (!taken) continue;
        for (const auto& n : waiting_[i].names) names.insert({n.directory.get(), n.name});
        durable.push_back(std::move(waiting_[i]));
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    for (auto change = durable.rbegin(); change != durable.rend(); ++change)
        change->apply(&Node::durable_entries);
}

std::uint64_t SimFiles::used_bytes() const {
    std::uint64_t bytes = 0;
    std::vector<const Node*> open{root_.get()};
    while (!open.empty()) {
        const Node* node = open.back();
        open.pop_back();
        bytes += node->content.size();
        for (const auto& [name, child] : node->entries) open.push_back(child.get());
    }
    return bytes;
}

// ---- the port ----

Result<std::unique_ptr<OverwritableFile>> SimFiles::open(const std::string& path, bool writable) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::read, path)) return file_error("open", path, e);
    const Place place = walk(path, !writable);
    if (place.error_number != 0) return file_error("open", path, place.error_number);
    if (place.node->kind == FileStatus::Kind::symlink) return file_error("open", path, ELOOP);
    if (place.node->kind == FileStatus::Kind::directory) return file_error("open", path, EISDIR);
    return std::make_unique<SimFile>(*this, place.node, path, writable);
}

Result<std::unique_ptr<File>> SimFiles::open_read(const std::string& path) {
    return open(path, false);
}

Result<std::unique_ptr<OverwritableFile>> SimFiles::open_overwritable(const std::string& path) {
    return open(path, true);
}

Result<std::unique_ptr<File>> SimFiles::open_append(const std::string& path) {
    return open(path, true);
}

Result<std::unique_ptr<File>> SimFiles::create(const std::string& path, bool executable,
                                               Readers /*it has one user*/) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::create, path)) return file_error("create", path, e);
    const Place place = walk(path, false);
    if (place.node) return file_error("create", path, EEXIST);
    if (!place.directory) return file_error("create", path, place.error_number);
    const NodePtr node = new_node(FileStatus::Kind::regular);
    node->executable = executable;
    change({{{place.directory, place.name, node}}});
    return std::make_unique<SimFile>(*this, node, path, true);
}

Result<FileStatus> SimFiles::status_of(const std::string& path, bool follow_last) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::read, path)) return file_error("look at", path, e);
    const Place place = walk(path, follow_last);
    if (!place.node) return file_error("look at", path, place.error_number);
    const Node& node = *place.node;
    FileStatus status;
    status.kind = node.kind;
    status.size = node.kind == FileStatus::Kind::symlink ? node.target.size() : node.content.size();
    status.executable = node.executable || node.kind == FileStatus::Kind::directory;
    status.inode = node.inode;
    status.device = 1;
    status.mtime_ns = node.changed_ns;
    status.ctime_ns = node.changed_ns;
    return status;
}

Result<FileStatus> SimFiles::stat(const std::string& path) { return status_of(path, false); }

Result<FileStatus> SimFiles::stat_target(const std::string& path) { return status_of(path, true); }

Result<std::vector<std::string>> SimFiles::list(const std::string& directory) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::read, directory)) return file_error("list", directory, e);
    const Place place = walk(directory, true);
    if (!place.node) return file_error("list", directory, place.error_number);
    if (place.node->kind != FileStatus::Kind::directory)
        return file_error("list", directory, ENOTDIR);
    std::vector<std::string> names;
    for (const auto& [name, node] : place.node->entries) names.push_back(name);
    return names;
}

Status SimFiles::make_directories(const std::string& path, Readers readers) {
    const std::lock_guard guard(mutex_);
    if (!powered_) return file_error("make the directory", path, EIO);
    const Place there = walk(path, true);
    if (there.node && there.node->kind == FileStatus::Kind::directory) return {};
    if (there.node) return file_error("make the directory", path, EEXIST);
    if (there.error_number != ENOENT)
        return file_error("make the directory", path, there.error_number);
    const std::string parent(parent_path(path));
    TRIBUTARY_TRY(make_directories(parent, readers));
    if (const int e = begin(Effect::make_directory, path))
        return file_error("make the directory", path, e);
    const Place place = walk(path, false);
    if (place.node || !place.directory) return file_error("make the directory", path, EEXIST);
    change({{{place.directory, place.name, new_node(FileStatus::Kind::directory)}}});
    return sync_directory(parent);
}

Status SimFiles::rename(const std::string& from, const std::string& to) {
    const std::lock_guard guard(mutex_);
    const auto refuse = [&](int e) { return file_error("rename " + from + " to", to, e); };
    if (const int e = begin(Effect::rename, to)) return refuse(e);
    const Place source = walk(from, false);
    const Place target = walk(to, false);
    if (!source.node) return refuse(source.error_number);
    if (!source.directory) return refuse(EBUSY);
    if (!target.directory) return refuse(target.node ? EBUSY : target.error_number);
    if (target.node == source.node) return {};
    const bool directory = source.node->kind == FileStatus::Kind::directory;
    if (target.node) {
        const bool over_directory = target.node->kind == FileStatus::Kind::directory;
        if (directory && !over_directory) return refuse(ENOTDIR);
        if (!directory && over_directory) return refuse(EISDIR);
        if (!target.node->entries.empty()) return refuse(ENOTEMPTY);
    }
    if (directory && (to + "/").starts_with(from + "/")) return refuse(EINVAL);
    change(
        {{{source.directory, source.name, nullptr}, {target.directory, target.name, source.node}}});
    return {};
}

Status SimFiles::remove(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::remove, path)) return file_error("remove", path, e);
    const Place place = walk(path, false);
    if (!place.node) return file_error("remove", path, place.error_number);
    if (!place.directory) return file_error("remove", path, EBUSY);
    if (!place.node->entries.empty()) return file_error("remove", path, ENOTEMPTY);
    change({{{place.directory, place.name, nullptr}}});
    return {};
}

Status SimFiles::sync_directory(const std::string& path) {
    const std::lock_guard guard(mutex_);
    counters_.directory_syncs += 1;
    if (const int e = begin(Effect::sync_directory, path))
        return file_error("sync the directory", path, e);
    const Place place = walk(path, true);
    if (!place.node) return file_error("open the directory", path, place.error_number);
    if (place.node->kind != FileStatus::Kind::directory)
        return file_error("open the directory", path, ENOTDIR);
    make_durable(*place.node);
    return {};
}

Result<std::string> SimFiles::read_link(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::read, path)) return file_error("read the link", path, e);
    const Place place = walk(path, false);
    if (!place.node) return file_error("read the link", path, place.error_number);
    if (place.node->kind != FileStatus::Kind::symlink)
        return file_error("read the link", path, EINVAL);
    return place.node->target;
}

Status SimFiles::replace_link(const std::string& path, const std::string& target) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::replace_link, path))
        return file_error("make the link", path, e);
    const Place place = walk(path, false);
    if (place.node && place.node->kind != FileStatus::Kind::symlink)
        return file_error("make the link", path, EEXIST);
    if (!place.directory) return file_error("make the link", path, place.error_number);
    const NodePtr link = new_node(FileStatus::Kind::symlink);
    link->target = target;
    change({{{place.directory, place.name, link}}});
    return {};
}

Result<std::uint64_t> SimFiles::free_bytes(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::read, path))
        return file_error("ask for the free space of", path, e);
    const Place place = walk(path, true);
    if (!place.node) return file_error("ask for the free space of", path, place.error_number);
    const std::uint64_t used = used_bytes();
    return used < capacity_ ? capacity_ - used : 0;
}

Result<std::unique_ptr<FileLock>> SimFiles::lock(const std::string& path,
                                                 const std::string& holder) {
    const std::lock_guard guard(mutex_);
    if (const int e = begin(Effect::lock, path)) return file_error("lock", path, e);
    Place place = walk(path, false);
    if (!place.node && !place.directory) return file_error("lock", path, place.error_number);
    if (!place.node) {
        place.node = new_node(FileStatus::Kind::regular);
        change({{{place.directory, place.name, place.node}}});
    }
    Node& file = *place.node;
    if (file.kind == FileStatus::Kind::symlink) return file_error("lock", path, ELOOP);
    if (file.kind == FileStatus::Kind::directory) return file_error("lock", path, EISDIR);
    if (locks_.contains(file.inode))
        return fail(Errc::conflict,
                    "cannot lock " + path + ": held by " + std::string(as_text(file.content)),
                    EWOULDBLOCK);
    locks_[file.inode] = generation_;
    file.write({0, {}, true, false});
    const ByteView text = as_bytes(holder);
    file.write({0, Bytes(text.begin(), text.end()), false, false});
    return std::make_unique<SimLock>(*this, file.inode);
}

}  // namespace tributary::test
