// The byte format of a segment: pure, no files. schemas/STORAGE.md, section 7, has the tables.
//
//   segment = header, { batch, acknowledged mark }, footer when sealed
//   batch   = records, batch mark
//
// Every mark carries the segment's random salt, so that bytes of another segment (or of a file that
// was recorded) are never taken for ours.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace tributary::segment {

// ---- marks ----

struct Header {
    std::uint64_t salt = 0;
    std::uint64_t first_batch = 0;  // batches are numbered from 1 through the whole log
    std::uint32_t number = 0;       // of the segment
    bool operator==(const Header&) const = default;

    static constexpr std::size_t kBytes = 32;
};

// What the log as a whole has come to, repeated in every batch mark and footer so that it is as
// durable as the batch.
struct State {
    std::uint64_t recorded_bytes = 0;
    std::uint64_t written_bytes = 0;
    Incarnation incarnation;  // whose journal this node writes
    bool operator==(const State&) const = default;
};

void put_state(ByteWriter& out, const State& state);
State take_state(ByteReader& in);

struct BatchMark {
    std::uint32_t length = 0;  // bytes of the records before it
    std::uint64_t salt = 0;
    std::uint64_t number = 0;
    State state;
    std::uint32_t records_crc = 0;  // CRC-32C of those bytes
    bool operator==(const BatchMark&) const = default;

    static constexpr std::size_t kBytes = 64;
};

// "Batch `number` is synced." Appended after the sync, itself not synced.
struct AckMark {
    std::uint64_t salt = 0;
    std::uint64_t number = 0;
    bool operator==(const AckMark&) const = default;

    static constexpr std::size_t kBytes = 24;
};

void append_header(Bytes& out, const Header& header);
void append_batch_mark(Bytes& out, const BatchMark& mark);
void append_ack_mark(Bytes& out, const AckMark& mark);
// nullopt: these bytes are not one, or damaged.
std::optional<Header> parse_header(ByteView in);
std::optional<BatchMark> parse_batch_mark(ByteView in);
std::optional<AckMark> parse_ack_mark(ByteView in);

}  // namespace tributary::segment
