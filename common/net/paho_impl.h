// One connection at a time over Paho, driven from a thread of its own. For mqtt.cpp only.
//
// Why a thread: Paho's one process-wide lock is held while it looks a name up, so any call may wait
// for seconds. Why a new Paho client for each attempt: on a clean start the C library forgets the
// callbacks of what was in flight, and the C++ layer then keeps those tokens, with their payloads,
// for as long as the client lives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/env/transport.h"
#include "common/net/mqtt.h"

namespace tributary {

// Called on Paho's threads or ours, with a lock held: they may only post. `attempt` is the number
// given to connect(); what a former attempt still says is to be ignored.
struct PahoEvents {
    std::function<void(std::uint64_t attempt)> connected;  // and subscribed
    std::function<void(std::uint64_t attempt, Error)> failed;
    std::function<void(std::uint64_t attempt, Message)> received;
    std::function<void(std::uint64_t attempt, std::size_t slot)> sent;
    std::function<void(std::uint64_t attempt, const std::string& filter)> subscribed;
};

// The PEM files of mqtts:// can be used: they are read, the key is the certificate's, and its
// passphrase is right. Else invalid, naming the file.
Status check_tls_files(const MqttOptions& options);

class PahoThread {
public:
    // `options` have been checked.
    PahoThread(MqttOptions options, PahoEvents events);
    // Ends the connection in good order and waits for the thread.
    ~PahoThread();

    // None of these waits. connect() and close() give up the connection there was; close() lets the
    // broker send the will.
    void connect(std::uint64_t attempt);
    void publish(std::uint64_t attempt, std::size_t slot, std::string topic, Bytes payload);
    void subscribe(std::uint64_t attempt, std::string filter);
    void unsubscribe(std::uint64_t attempt, std::string filter);
    void close();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
