// One request, many reply frames, over a Unix stream socket: how a CLI verb asks the daemon that
// holds the store.
//
// On the wire, both ways: u32 length of what follows, u8 channel, bytes (little-endian). The client
// sends one frame on channel 0. The server answers with frames on channels 1..254 and closes with
// an empty one on channel 255; a connection that ends without it was broken off.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/net/loop.h"

namespace tributary {

inline constexpr std::uint8_t kLocalChannelEnd = 255;
inline constexpr std::size_t kLocalFrameBytesMax = 1024 * 1024;

// The server's side of one conversation. Dropping it without end() tells the client that the answer
// is not whole.
class LocalReply {
public:
    virtual ~LocalReply() = default;
    // unavailable when the client has gone, exhausted when it has left 8 MiB unread, invalid for a
    // frame over the limit or channel 0 or 255.
    virtual Status send(std::uint8_t channel, ByteView bytes) = 0;
    virtual void end() = 0;
    // True once the client has gone: nobody reads the answer.
    virtual bool gone() const = 0;
};

// The reply may be kept past the call and used on the loop's thread.
using LocalHandler = std::function<void(Bytes request, std::unique_ptr<LocalReply> reply)>;

// Destroying it closes every conversation and removes the socket file if it is still its own.
class LocalServer {
public:
    virtual ~LocalServer() = default;
    // Calls `task` once, perhaps at once, when no answer that was ended is still on its way. On the
    // loop's thread.
    virtual void when_delivered(std::function<void()> task) = 0;
};

// Makes `path` a socket of mode 0600 that only this user and root may use; others are cut off. A
// socket file that nobody serves is replaced; conflict when somebody does, or when it is no socket.
// A client has 10 s to send its request; at most 32 at a time.
Result<std::unique_ptr<LocalServer>> serve_local(NetLoop& loop, const std::string& path,
                                                 LocalHandler handler);

// Asks and waits; `frame` gets each frame as it comes and may end the wait with an error.
// not_found: nobody serves the path (no file, or a stale one). unavailable: broken off, or silent
// for `timeout_ms`.
using LocalFrame = std::function<Status(std::uint8_t channel, ByteView bytes)>;
Status ask_local(const std::string& path, ByteView request, const LocalFrame& frame,
                 std::uint32_t timeout_ms);

}  // namespace tributary
