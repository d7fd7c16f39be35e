#include "hub/api/metrics.h"

#include <map>

#include "hub/app/hub.h"

namespace tributary::hub {
namespace {

void add(std::string& out, std::string_view name, std::string_view type, std::string_view help,
         std::uint64_t value) {
    const std::string full = "tributary_hub_" + std::string(name);
    out += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " " +
           std::string(type) + "\n" + full + " " + std::to_string(value) + "\n";
}

void add_enrolment(std::string& out, const Enrolment& enrolment) {
    add(out, "enrolled_total", "counter", "Boards let in since start.", enrolment.enrolled());
    add(out, "renewed_total", "counter", "Certificates renewed since start.", enrolment.renewed());
    add(out, "boards_waiting", "gauge", "Boards that wait for a decision.",
        enrolment.waiting().size());
    constexpr std::string_view kName = "tributary_hub_enrolment_refused_total";
    out += "# HELP " + std::string(kName) +
           " Requests of boards refused since start, by reason.\n# TYPE " + std::string(kName) +
           " counter\n";
    for (std::size_t i = 0; i < kRefusals; ++i) {
        const auto why = static_cast<Refusal>(i);
        out += std::string(kName) + "{reason=\"" + std::string(tributary::hub::name_of(why)) +
               "\"} " + std::to_string(enrolment.refused(why)) + "\n";
    }
}

// By a board: as the boards' journals say, so what they do not know here is "other".
void add_security_events(std::string& out, Hub& hub) {
    std::map<std::string, std::uint64_t> by_boards;
    for (const auto& [id, device] : hub.ledger().catalog().devices())
        for (const auto& [event, tally] : device.refused_by_it)
            by_boards[is_security_event(event)
                          ? event
                          : std::string(tributary::name_of(SecurityEvent::other))] += tally.count;
    constexpr std::string_view kName = "tributary_hub_security_events_total";
    out += "# HELP " + std::string(kName) +
           " What was refused that no sound peer sends: by this hub since start, and by boards as "
           "their journals say.\n# TYPE " +
           std::string(kName) + " counter\n";
    const auto list = [&](std::string_view by, const std::map<std::string, std::uint64_t>& counts) {
        for (const auto& [event, count] : counts)
            out += std::string(kName) + "{by=\"" + std::string(by) + "\",event=\"" + event +
                   "\"} " + std::to_string(count) + "\n";
    };
    list("hub", hub.security().counted());
    list("board", by_boards);
}

}  // namespace

std::string metrics_text(Hub& hub) {
    const Catalog& catalog = hub.ledger().catalog();
    const StoreCounters store = hub.ledger().store().counters();
    std::uint64_t received = 0, sent = 0, refused = 0, quarantined = 0, revoked = 0, rewritten = 0,
                  unproven = 0;
    for (const auto& [id, device] : catalog.devices()) {
        if (!device.quarantine.empty()) ++quarantined;
        const DeviceLink* link = hub.link(id);
        if (!link) continue;
        received += link->status().received_bytes;
        sent += link->status().sent_bytes;
        refused += link->status().refused;
        revoked += link->status().revoked;
        unproven += link->status().unproven;
        if (!link->status().other_history.empty()) ++rewritten;
    }
    std::string out;
    add(out, "broker_connected", "gauge", "1 while the MQTT broker is reached.",
        hub.broker_connected() ? 1 : 0);
    add(out, "broker_refusals_total", "counter",
        "Messages that the broker refused to pass on since start.", hub.broker_refusals());
    add(out, "devices", "gauge", "Devices that made their first contact or enrolled.",
        catalog.devices().size());
    add(out, "versions", "gauge", "Versions of all boards and merges.", catalog.version_count());
    add(out, "repositories", "gauge", "Repositories.", catalog.repositories().size());
    add(out, "store_bytes", "gauge", "Length of all segments.", store.stored_bytes);
    add(out, "store_records", "gauge", "Records in the log.", store.records);
    add(out, "store_written_bytes_total", "counter", "Bytes handed to write().",
        store.written_bytes);
    add(out, "received_bytes_total", "counter", "Message bytes from devices since start.",
        received);
    add(out, "sent_bytes_total", "counter", "Message bytes to devices since start.", sent);
    const CastCounters& casts = hub.casts().counters();
    add(out, "broadcasts", "gauge", "Broadcasts that run.", hub.casts().running());
    add(out, "broadcasts_total", "counter", "Broadcasts begun since start.", casts.begun);
    add(out, "broadcast_bytes_total", "counter",
        "Message bytes published once for many devices since start.", casts.sent_bytes);
    add(out, "broadcast_held_bytes", "gauge", "Parts of broadcasts under way, in RAM.",
        hub.casts().held_bytes());
    add(out, "broadcast_repair_bytes_total", "counter",
        "Those of them that mended losses or served late devices.", casts.repair_bytes);
    add(out, "unknown_messages_total", "counter",
        "Messages of unknown devices dropped since start.", hub.unknown_messages());
    add(out, "devices_waiting_for_room", "gauge",
        "Devices that send no content because the disk has no room for it.",
        hub.room().waiting().size());
    add(out, "quarantined_devices", "gauge", "Devices of which nothing is read.", quarantined);
    add(out, "refused_total", "counter", "Messages and plans refused since start.", refused);
    add(out, "revoked_devices", "gauge", "Devices that are believed no more.",
        catalog.members().revoked().size());
    add(out, "revoked_refused_total", "counter",
        "Messages of revoked devices, journals and keys refused since start.", revoked);
    add(out, "unproven_hellos_total", "counter",
        "Hellos in a device's name that its key did not sign, since start.", unproven);
    add(out, "other_history_devices", "gauge",
        "Devices that were shown a history of this hub which it does not have.", rewritten);
    add_security_events(out, hub);
    if (const Enrolment* enrolment = hub.enrolment()) add_enrolment(out, *enrolment);
    return out;
}

}  // namespace tributary::hub
