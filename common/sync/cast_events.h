// What goes into Caster and Catcher and what comes out of them; Tick, Connected and Disconnected
// are those of the conversation (events.h). They deal in numbers alone: bytes, keys, stores and
// coding are their owners'.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/sync/events.h"

namespace tributary::sync {

// ---- Caster: events ----

struct Invited {
    std::string device;
};
// It needs this no more: it has answered its assignment, or got another one.
struct Withdrawn {
    std::string device;
};
// It may have started anew: its reports count from 1 again.
struct SessionRenewed {
    std::string device;
};
struct Reported {
    std::string device;
    CastReport report;
};
// Answers Prepare. The same generation has the same answer each time.
struct Prepared {
    std::uint32_t generation = 0;
    std::uint32_t fragments = 0;  // of data
    bool last = false;
};
struct NotPrepared {};  // likewise: it cannot be read any more, everybody gets an ordinary push
// The transport takes so many fragments now, before it says Room again.
struct Room {
    std::uint32_t fragments = 0;
};

using CasterEvent = std::variant<Invited, Withdrawn, SessionRenewed, Reported, Prepared,
                                 NotPrepared, Room, Connected, Disconnected, Tick>;

// ---- Caster: actions ----

// Make the bytes of this generation; answer Prepared. At most one is unanswered.
struct Prepare {
    std::uint32_t generation = 0;
};
struct Release {
    std::uint32_t generation = 0;
};
struct PublishFragment {
    std::uint32_t generation = 0;
    std::uint32_t index = 0;
    std::uint32_t serial = 0;
    std::uint32_t left = 0;
};
// This device takes part no more. Not whole: it gets what it lacks by an ordinary push.
struct Finished {
    std::string device;
    bool whole = false;
};
struct Over {};  // for good; nothing follows

using CasterAction = std::variant<Prepare, Release, PublishFragment, Finished, Over>;
using CasterActions = std::vector<CasterAction>;

// ---- Catcher: events ----

// A fragment whose seal is sound.
struct FragmentArrived {
    std::uint32_t generation = 0;
    std::uint32_t generation_bytes = 0;
    bool last = false;
    std::uint32_t index = 0;
    std::uint32_t serial = 0;
    std::uint32_t left = 0;
};
// Answers StoreGeneration. corrupt, invalid: the bytes are wrong, they are had again; anything
// else: this device cannot take part.
struct GenerationStored {
    std::uint32_t generation = 0;
    Status status;
};
// Answers CommitVersion.
struct VersionCommitted {
    Status status;
};
// What it brings came another way, or is asked for no more.
struct Unwanted {};

// Connected: the subscription to the broadcast's topic is in place.
using CatcherEvent = std::variant<FragmentArrived, GenerationStored, VersionCommitted, Unwanted,
                                  Connected, Disconnected, Tick>;

// ---- Catcher: actions ----

// Of the fragment that has just arrived: add it to what is held of its generation.
struct KeepFragment {
    std::uint32_t generation = 0;
    std::uint32_t index = 0;
    GenerationShape shape;
};
struct ForgetGeneration {
    std::uint32_t generation = 0;
};
// Enough is here. Rebuild it, cut it to `bytes`, stage its records; answer GenerationStored.
struct StoreGeneration {
    std::uint32_t generation = 0;
    std::uint32_t bytes = 0;
};
// Everything is staged: is the version whole? Make it durable; answer VersionCommitted.
struct CommitVersion {};
// Nothing more is wanted of the topic. After `whole`, deadlines still come: the report is repeated.
struct LeaveCast {
    bool whole = false;
};

using CatcherAction = std::variant<KeepFragment, ForgetGeneration, StoreGeneration, CommitVersion,
                                   SendCastReport, LeaveCast>;
using CatcherActions = std::vector<CatcherAction>;

}  // namespace tributary::sync
