// What all journals together say: devices, versions, refs, edges, approvals, assignments. An index,
// in RAM, folded from the entries in the log at start and from each new entry after it became
// durable. It holds no fact of its own.
//
// The fold does not depend on the order in which journals are mixed, only on the order inside each
// journal: two hubs that hold the same journals answer alike. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/entry.h"
#include "common/record/tree_extent.h"
#include "common/store/store.h"
#include "hub/store/journal_keys.h"
#include "hub/store/members.h"

namespace tributary::hub {

// A version and where it stands. It may be committed on several branches and by others than its
// author; then its author's journal says where (the hub's, for a merge), and the smallest name of
// several.
struct KnownVersion {
    VersionId id;
    Version version;
    std::string repo;
    std::string branch;
    bool by_author = false;  // repo and branch are its author's word
};

// Until the device's journal says otherwise.
inline constexpr std::string_view kAssigned = "assigned";

struct InstallState {
    std::uint64_t number = 0;  // the assignment's
    std::string repo;
    VersionId wanted;
    Digest document;    // the sealed assignment
    std::string state;  // kAssigned, or as the device's journal says
    VersionId running;  // none: unknown or nothing
    TreeId running_content;
    bool configured = false;  // the board has answered, and not that it knows no such model
    std::string detail;
    HybridTime time;
};

// What was refused, of one kind.
struct EventTally {
    std::uint64_t count = 0;
    HybridTime last;  // of the entry that said so last
    std::string detail;
    std::string address;
};
using EventTallies = std::map<std::string, EventTally>;  // by event

struct Device {
    std::string id;
    Bytes public_key;  // as the hub bound it last; key_of() knows the one in force
    std::vector<Incarnation> incarnations;  // in the order the hub bound them; the last is current
    std::map<std::string, InstallState> models;  // by model name
    std::set<VersionId> given;                   // all that it was ever told to run
    HybridTime bound;
    bool retired = false;        // people count on it no more
    std::string quarantine;      // why nothing of it is read; empty: it is
    EventTallies refused_here;   // by this hub, of what came from it
    EventTallies refused_by_it;  // as its own journals say: of what came to it
};

struct RefMove {
    VersionId from;
    VersionId to;
    std::string reason;
    std::string actor;
    HybridTime time;
};

struct NamedRef {
    std::string name;  // "main", "tags/v1", "@production", "device/a/main"
    VersionId version;
};

struct Approval {
    VersionId version;
    Digest document;
    HybridTime time;
};

// What the hub thinks of a version that a device's journal names.
struct Verdict {
    bool whole = false;     // everything it needs is held, its names are well formed, and its tree
                            // stands for no more than a version's may
    bool may_come = false;  // something is missing that the device may send after all
    std::string why;        // a clause, when it is not whole
    // What is missing. For the hub's own people alone: its name may stand in what others sent.
    std::optional<RecordKey> missing = {};
};
using Verdicts = std::unordered_map<VersionId, Verdict>;

class Catalog {
public:
    // Reads every journal in `store`, the hub's own first.
    static Result<Catalog> rebuild(Store& store);
    // Folds one durable entry. Entries of one journal come in order. A journal is believed in what
    // is its own to say: versions, installs and a change of its key in a device's; devices, refs,
    // approvals, assignments and enrolment in the hub's alone. What cannot be read, or is not its
    // own to say, changes nothing here. `judged`: what Judging found of the versions that it names;
    // of one that is not among them it is found out here, which takes as long as it takes.
    void apply(Store& store, const EntryView& entry, const Verdicts& judged = {});

    // Whether a version may have this tree, whose nodes were read before (check_tree_extent).
    Status check_tree(const TreeId& tree, const LoadTreeNode& load) const;
    // A memo for this and for Judging, bounded here.
    TreeExtents& extents() const;
    // What a journal says and the hub could not take: versions, and entries whose body cannot be
    // read, with the reason.
    std::map<Digest, std::string> refused(const Incarnation& incarnation) const;
    // What such a version lacks, a clause for the hub's own people; empty: nothing, or it is not
    // known.
    std::string lack(const Incarnation& incarnation, const VersionId& version) const;
    // Whether a version is among them.
    bool is_refused(const Incarnation& incarnation, const VersionId& version) const;
    // Of these, versions that the device says it dropped to make room, before the hub had them:
    // nobody waits for them.
    bool is_thinned(const Incarnation& incarnation, const VersionId& version) const;
    // Whether a device may have what this version needs: it recorded it, or was told to run it.
    bool may_read(const std::string& device, const KnownVersion& version) const;
    // Of these, what it runs and is to run, then the heads of its branches, the last one first: of
    // its present journal, then of those before. The nearest to what it records next comes first.
    std::vector<VersionId> nearest_to(const std::string& device) const;
    // What it says it runs, when it may read that; else none. What is sent to it is coded on
    // nothing else: a board that knew a version's name alone would learn what is in it.
    VersionId base_of(const std::string& device, const InstallState& state) const;
    // Until all journals were read.
    bool is_rebuilding() const { return rebuilding_; }
    // How many journals the hub wrote itself, each continuing the one before.
    std::size_t own_journals() const { return own_.size(); }

    const std::map<std::string, Device>& devices() const { return devices_; }
    const Device* device(const std::string& id) const;
    // The device whose journal this is; empty when nobody's (the hub's own, or not bound).
    std::string device_of(const Incarnation& incarnation) const;
    // The key in force there, DER; nullptr when the journal is nobody's.
    const Bytes* key_of(const Incarnation& incarnation) const { return keys_.of(incarnation); }
    const JournalKeys& keys() const { return keys_; }
    // The device that may speak with this key now: it is in force in its present journal, or the
    // newest that it was certified for. Empty when there is none.
    std::string device_with_key(const Bytes& public_key) const;
    const Members& members() const { return members_; }
    // Whether the hub wrote this journal itself.
    bool is_own(const Incarnation& journal) const { return own_.contains(journal); }
    // Where a device's journal says that it goes on from.
    struct Origin {
        Incarnation journal;
        std::uint64_t sequence = 0;
        EntryHash hash;
        // That journal is held with more entries, or another one there: somebody else went on in it
        // too, on a cloned card or before an image was put back. Both histories are kept.
        bool forked = false;
    };
    std::optional<Origin> origin(Store& store, const Incarnation& incarnation) const;

    std::vector<std::string> repositories() const;
    // Shared refs of a repository, then device refs, each in byte order of name. Older
    // incarnations' heads stand as device/<id>/<branch>@<incarnation>.
    std::vector<NamedRef> refs(const std::string& repo) const;
    // One of them, found without making the list.
    std::optional<VersionId> ref(const std::string& repo, const std::string& name) const;
    // The journal that a name such as device/<id>/<branch>[@<incarnation>] follows, and the branch.
    struct DeviceRef {
        Incarnation journal;
        std::string branch;
    };
    std::optional<DeviceRef> device_ref(std::string_view name) const;
    // All moves of a shared ref, oldest first.
    const std::vector<RefMove>* moves(const std::string& repo, const std::string& name) const;
    // Heads of `branch` on all devices' current incarnations, by device.
    std::map<std::string, VersionId> device_heads(const std::string& repo,
                                                  const std::string& branch) const;

    const KnownVersion* version(const VersionId& id) const;
    // In order of id, at most `limit`.
    std::vector<const KnownVersion*> versions_by_prefix(std::string_view hex,
                                                        std::size_t limit) const;
    // The version and its known ancestors, youngest first by their own time (ties by id), at most
    // `limit`.
    std::vector<const KnownVersion*> history(const VersionId& head, std::size_t limit) const;
    std::size_t version_count() const { return versions_.size(); }

    struct Edge {
        Digest from;       // the younger: the version that has the parent or input
        Digest to;         // the older
        std::string kind;  // "parent" or "used"
        std::string role;  // of used
    };
    // Edges that end at (down: who was made from it) or start at (up: what it was made from) this
    // id.
    std::vector<Edge> edges_up(const Digest& id) const;
    std::vector<Edge> edges_down(const Digest& id) const;

    // The newest root document that the hub took up; version 0: it never said.
    const RootFollowedBody& root_followed() const { return root_followed_; }

    // What this hub refused of nobody in particular.
    const EventTallies& strangers() const { return strangers_; }
    // Kinds of events of one device, or of strangers, that are told apart.
    static constexpr std::size_t kEventsMax = 64;

    // Where this version runs now, as the boards' journals say: (device, model).
    using Deployments = std::set<std::pair<std::string, std::string>>;
    const Deployments& deployments_of(const VersionId& id) const;

    const std::vector<Approval>* approvals(const VersionId& id) const;
    // The next one is higher. Assignments of an earlier epoch that are lost had lower numbers.
    std::uint64_t last_assignment_number() const { return last_assignment_; }
    // How many versions a device's journals name that are not whole here, and the device did not
    // bring. After a restore they are what is gone: not in the backup, and not on the board.
    std::size_t not_whole(const Device& device) const;

private:
    struct BranchHead {
        VersionId version;
        std::uint64_t sequence = 0;
    };
    struct Refusal {
        std::optional<CommitBody> commit;  // none: an entry whose body cannot be read
        std::string why;
        std::optional<RecordKey> missing = {};
    };
    struct Journal {
        std::map<std::pair<std::string, std::string>, BranchHead> heads;  // by (repo, branch)
        std::map<Digest, Refusal> refused;
        std::unordered_set<VersionId> thinned;
        std::optional<Origin> origin;
        std::uint64_t last = 0;  // sequence
    };

    void apply_own(Store& store, const EntryBody& body, HybridTime time);
    void apply_commit(Store& store, const EntryHeader& header, const CommitBody& commit,
                      const Verdicts& judged);
    void apply_thinned(const Incarnation& by, const ThinnedBody& body);
    void apply_install(const Incarnation& by, const InstallBody& body, HybridTime time);
    void apply_assigned(const AssignedBody& body, HybridTime time);
    void apply_refused_by(const Incarnation& by, const SecurityEventBody& body, HybridTime time);
    void take_again(Store& store, Journal& journal, const VersionId& child, const Incarnation& by,
                    const Verdicts& judged);
    struct Place {
        std::string repo;
        std::string branch;
    };
    // `by`: the journal that says so; none: the hub's.
    void know_version(Store& store, const VersionId& id, Place place, const Incarnation& by);
    bool is_author(const Incarnation& by, const Incarnation& author) const;
    void move_deployment(const std::string& device, const std::string& model, const VersionId& from,
                         const VersionId& to);

    std::unordered_set<Incarnation> own_;  // the hub's own journals
    // Versions are judged beside their parents whatever became of these: to read all of each would
    // take too long.
    bool rebuilding_ = false;
    RootFollowedBody root_followed_;

    std::map<std::string, Device> devices_;
    std::unordered_map<Incarnation, std::string> device_of_;
    JournalKeys keys_;
    Members members_;
    std::unordered_map<Incarnation, Journal> journals_;
    std::map<VersionId, KnownVersion> versions_;  // ordered, for prefixes of ids
    std::unordered_map<VersionId, Deployments> deployments_;
    std::unordered_map<Digest, std::vector<Edge>> down_;
    std::map<std::string, std::map<std::string, std::vector<RefMove>>>
        refs_;  // repo → name → moves
    std::unordered_map<VersionId, std::vector<Approval>> approvals_;
    std::uint64_t last_assignment_ = 0;
    EventTallies strangers_;
    // A memo of what ids stand for, not a fact: versions share most of their nodes.
    mutable TreeExtents extents_;
};

// Whether a commit's repository and branch have names that may be.
Status check_place(const CommitBody& commit);

// What Catalog::root_followed() would say of this store, without the rest of it.
Result<RootFollowedBody> read_root_followed(Store& store);

}  // namespace tributary::hub
