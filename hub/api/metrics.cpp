#include "hub/api/metrics.h"

#include "hub/app/hub.h"

namespace tributary::hub {
namespace {

void add(std::string& out, std::string_view name, std::string_view type, std::string_view help,
         std::uint64_t value) {
    const std::string full = "tributary_hub_" + std::string(name);
    out += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " " +
           std::string(type) + "\n" + full + " " + std::to_string(value) + "\n";
}

}  // namespace

std::string metrics_text(Hub& hub) {
    const Catalog& catalog = hub.ledger().catalog();
    const StoreCounters store = hub.ledger().store().counters();
    std::uint64_t received = 0, sent = 0, refused = 0, quarantined = 0;
    for (const auto& [id, device] : catalog.devices()) {
        const DeviceLink* link = hub.link(id);
        if (!link) continue;
        received += link->status().received_bytes;
        sent += link->status().sent_bytes;
        refused += link->status().refused;
        if (link->quarantine()) ++quarantined;
    }
    std::string out;
    add(out, "broker_connected", "gauge", "1 while the MQTT broker is reached.",
        hub.broker_connected() ? 1 : 0);
    add(out, "devices", "gauge", "Devices that made their first contact.",
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
    add(out, "broadcast_repair_bytes_total", "counter",
        "Those of them that mended losses or served late devices.", casts.repair_bytes);
    add(out, "unknown_messages_total", "counter",
        "Messages of unknown devices dropped since start.", hub.unknown_messages());
    add(out, "quarantined_devices", "gauge", "Devices of which nothing is read.", quarantined);
    add(out, "refused_total", "counter", "Messages and plans refused since start.", refused);
    return out;
}

}  // namespace tributary::hub
