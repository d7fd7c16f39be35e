// Content that a file shares with its parent version, though at another place: rows that were
// inserted or dropped, a window that went on. Where it is cut as the parent was, a piece is the
// parent's again, or close to it. Pure, bounded in memory, the same on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/layout.h"

namespace tributary::codec {

// Whether a file has content of its parent, and whether at other places, as samples of it show:
// for a file of weights, of which no byte comes again, this is all that it costs.
class MovedProbe {
public:
    MovedProbe();
    // Some hundred places of the new file.
    Status sample(std::uint64_t bytes, const ReadAt& read);
    // Bytes of the parent, from `offset` on.
    void look_at(std::uint64_t offset, ByteView parent);

    bool stayed() const { return stayed_ > 0; }
    bool moved() const { return moved_ > 1 + stayed_ / 8; }  // a few may be chance

private:
    struct Window {
        std::uint64_t offset = 0;
        std::array<std::uint8_t, 32> bytes{};
    };
    std::vector<Window> windows_;
    std::vector<std::uint16_t> slots_;  // offset among the windows' starts, + 1
    std::size_t stayed_ = 0;
    std::size_t moved_ = 0;
};

// begin .. end of a file is like a piece of its parent: as much of it as the file has, in order.
struct Match {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::size_t piece = 0;
    std::uint64_t parent_end = 0;  // where the file's end lies in the parent

    bool operator==(const Match&) const = default;
};

// Lines a file up with its parent by anchors: windows of 64 bytes, chosen by what is in them. At
// most 1 MiB, whatever the files' sizes, in large ones anchors are rarer; and beside it 8 bytes for
// each piece of the parent and 32 for each match.
class Alignment {
public:
    // `begins`: where the parent's pieces begin, and last its size.
    Alignment(std::vector<std::uint64_t> begins, std::uint64_t bytes);

    void learn(ByteView parent);  // all of it, in order
    void follow(ByteView file);   // then all of the file, in order
    // In order, without overlaps.
    std::vector<Match> take();

private:
    struct Anchor {
        std::uint64_t hash = 0;
        std::uint64_t end = 0;  // in the parent; 0: none
    };
    // A stretch that is like one piece, while it goes on.
    struct Stretch {
        std::size_t piece = 0;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;         // of its last anchor
        std::uint64_t parent_end = 0;  // the same in the parent
    };
    template <class Visit>
    void scan(ByteView bytes, Visit&& visit);
    Anchor* slot_of(std::uint64_t hash);
    std::size_t piece_of(std::uint64_t parent_end) const;
    void found(std::uint64_t end, std::uint64_t parent_end);
    void close(std::uint64_t limit);

    std::vector<std::uint64_t> begins_;
    std::uint64_t bytes_;
    std::uint64_t mask_;
    std::vector<Anchor> anchors_;

    std::uint64_t hash_ = 0;
    std::uint64_t at_ = 0;
    bool following_ = false;
    std::optional<Stretch> current_;
    std::optional<Stretch> next_;  // perhaps
    std::size_t votes_ = 0;        // for it
    std::vector<Match> matches_;
};

// Takes the spans of cut() and hands on others: what matches is cut as the parent was, all else as
// it was.
class Recut {
public:
    Recut(const std::vector<Match>& matches, const std::function<Status(const Span&)>& visit)
        : matches_(matches), visit_(visit) {}

    Status take(const Span& span);
    Status finish();

private:
    Status put(const Span& part, std::optional<std::size_t> match);

    const std::vector<Match>& matches_;
    const std::function<Status(const Span&)>& visit_;
    std::size_t next_ = 0;  // match
    std::optional<Span> held_;
    std::optional<std::size_t> held_match_;
};

}  // namespace tributary::codec
