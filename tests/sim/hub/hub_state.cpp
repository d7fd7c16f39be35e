#include "tests/sim/hub/hub_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "common/hash/hash.h"

namespace tributary::test {
namespace {

using hub::Catalog;
using hub::Device;
using hub::KnownVersion;
using Lines = std::vector<std::string>;

std::string text(const HybridTime& time) {
    return std::to_string(time.wall_ms) + "/" + std::to_string(time.logical);
}
std::string text(bool yes) { return yes ? "yes" : "no"; }

template <typename... Words>
void say(Lines& lines, const Words&... words) {
    std::string line;
    ((line += words, line += ' '), ...);
    lines.push_back(std::move(line));
}

void say_device(Lines& lines, const Catalog& catalog, const Device& device) {
    say(lines, "device", device.id, text(device.bound), text(device.retired), device.quarantine);
    for (const Incarnation& journal : device.incarnations) say(lines, "  journal", journal.text());
    for (const auto& [model, state] : device.models)
        say(lines, "  model", model, std::to_string(state.number), state.repo, state.wanted.text(),
            state.state, state.running.text(), state.running_content.digest.text(),
            text(state.configured), state.detail, text(state.time),
            catalog.base_of(device.id, state).text());
    for (const VersionId& version : device.given) say(lines, "  given", version.text());
    for (const VersionId& version : catalog.nearest_to(device.id))
        say(lines, "  near", version.text());
    for (const auto& [event, tally] : device.refused_by_it)
        say(lines, "  refused", event, std::to_string(tally.count), text(tally.last), tally.detail);
}

void say_version(Lines& lines, const Catalog& catalog, const KnownVersion& known) {
    say(lines, "version", known.id.text(), known.repo, known.branch, text(known.by_author));
    for (const auto& [id, device] : catalog.devices())
        say(lines, "  readable", id, text(catalog.may_read(id, known)));
    for (const auto& [device, model] : catalog.deployments_of(known.id))
        say(lines, "  runs", device, model);
    for (const KnownVersion* before : catalog.history(known.id, 1'000))
        say(lines, "  history", before->id.text());
    Lines edges;
    for (const auto& of : {catalog.edges_up(known.id.digest), catalog.edges_down(known.id.digest)})
        for (const Catalog::Edge& edge : of)
            say(edges, "  edge", edge.from.text(), edge.to.text(), edge.kind, edge.role);
    std::ranges::sort(edges);
    lines.insert(lines.end(), edges.begin(), edges.end());
}

void say_journal(Lines& lines, hub::Ledger& ledger, const JournalHead& head) {
    const Catalog& catalog = ledger.catalog();
    const Incarnation& journal = head.incarnation;
    say(lines, "journal", journal.text(), catalog.device_of(journal), std::to_string(head.sequence),
        head.hash.digest.text());
    EXPECT_EQ(ledger.held(journal).sequence, head.sequence);
    EXPECT_TRUE(ledger.store().read_entries(journal, 1, [&](ByteView entry) {
        say(lines, "  entry", sha256(entry).text());
        return true;
    }));
    for (const auto& [name, why] : catalog.refused(journal))
        say(lines, "  refused", name.text(), why, catalog.lack(journal, VersionId{name}),
            text(catalog.is_thinned(journal, VersionId{name})));
}

}  // namespace

Lines state_of(hub::Ledger& ledger) {
    const Catalog& catalog = ledger.catalog();
    Lines lines;
    for (const auto& [id, device] : catalog.devices()) say_device(lines, catalog, device);
    for (const std::string& repo : catalog.repositories()) {
        say(lines, "repository", repo);
        for (const hub::NamedRef& ref : catalog.refs(repo))
            say(lines, "  ref", ref.name, ref.version.text());
        for (const auto& [device, head] : catalog.device_heads(repo, "main"))
            say(lines, "  head", device, head.text());
    }
    for (const KnownVersion* known :
         catalog.versions_by_prefix("", std::numeric_limits<std::size_t>::max()))
        say_version(lines, catalog, *known);

    std::vector<JournalHead> heads = ledger.store().heads().value();
    std::ranges::sort(heads, {}, &JournalHead::incarnation);
    for (const JournalHead& head : heads)
        if (!catalog.is_own(head.incarnation)) say_journal(lines, ledger, head);

    Lines held;
    for (const RecordKind kind : {RecordKind::piece, RecordKind::recipe, RecordKind::tree,
                                  RecordKind::version, RecordKind::notes, RecordKind::conflict})
        EXPECT_TRUE(ledger.store().for_each_name(kind, [&](const Digest& name) -> Status {
            TRIBUTARY_ASSIGN(const Bytes plain, ledger.store().read_plain({kind, name}));
            say(held, "holds", name_of(kind), name.text(), sha256(plain).text());
            return {};
        }));
    std::ranges::sort(held);
    lines.insert(lines.end(), held.begin(), held.end());
    return lines;
}

}  // namespace tributary::test
