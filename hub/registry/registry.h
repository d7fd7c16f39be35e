// Names and permissions: refs that people move, approvals, and which board shall run what.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/env/clock.h"
#include "common/record/document.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class Registry {
public:
    Registry(Ledger& ledger, Clock& clock, std::vector<Bytes> approver_keys,
             std::uint64_t approvals_needed)
        : ledger_(ledger),
          clock_(clock),
          approver_keys_(std::move(approver_keys)),
          approvals_needed_(approvals_needed) {}

    // What a person wrote for a version (common/lineage/reference.h). A ref is the one of the
    // repository written with it; @{TIME} is answered by the hub's own moves of a shared ref, and
    // by the device's journal for a device's. not_found, or conflict when it is ambiguous.
    Result<VersionId> resolve(const std::string& reference) const;

    // Moves a tag ("tags/v1", only once), an alias ("@production") or a branch to a version of its
    // own repository. `expected`: where it must stand now; conflict when it does not.
    Status move_ref(const std::string& repo, const std::string& name, const VersionId& to,
                    std::optional<VersionId> expected, const std::string& reason,
                    const std::string& actor);

    // Takes a tag or an alias away. A tag that is gone may come back for the same version alone.
    Status remove_ref(const std::string& repo, const std::string& name, const std::string& actor);

    // Whether people count on a device: one that is retired keeps its versions, and is given
    // nothing to run.
    Status set_retired(const std::string& device, bool retired, const std::string& actor);

    // Takes an approver's signed document in; denied when no configured key signed it, invalid when
    // it does not fit what it names. The same key's second word for a version is not kept.
    Result<VersionId> approve(ByteView document);
    // How many different configured keys approved this version.
    std::size_t approvals_of(const VersionId& version) const;

    // Orders `devices`, or all that are not retired when none is named, to run a version as
    // `model`. denied when it lacks approvals or holds open conflicts; invalid for a model that no
    // board is known to have while others are, unless it is `meant`. Returns numbers by device.
    Result<std::map<std::string, std::uint64_t>> assign(const std::string& model,
                                                        const VersionId& version,
                                                        std::vector<std::string> devices,
                                                        bool meant);

    // After the hub's key was replaced: signs anew, under numbers of their own, the assignments
    // that no board has answered yet, for boards believe the key before no more. Those that are not
    // are left, and sent to nobody.
    struct SignedAnew {
        struct Left {
            std::string device, model, why;
        };
        std::vector<Assignment> given;
        std::vector<Left> left;
    };
    Result<SignedAnew> sign_anew();

private:
    Status give(const std::vector<Assignment>& assignments);
    Result<std::optional<Assignment>> signed_before(const std::string& device,
                                                    const std::string& model,
                                                    const InstallState& state) const;
    Status check_model(const std::string& model, bool meant) const;
    bool is_heard(const std::string& id, const Device& device) const;
    Result<std::vector<std::string>> receivers(std::vector<std::string> named) const;
    std::map<Digest, Digest> valid_approvals(const VersionId& version) const;
    Result<std::optional<VersionId>> ref_at(const std::string& repo, const std::string& ref,
                                            WallTime at) const;

    Ledger& ledger_;
    Clock& clock_;
    std::vector<Bytes> approver_keys_;
    std::uint64_t approvals_needed_;
};

}  // namespace tributary::hub
