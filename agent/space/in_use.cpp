#include "agent/space/in_use.h"

#include "agent/update/state.h"
#include "common/store/state_file.h"

namespace tributary::agent {

Result<InUse> read_in_use(Files& files, const std::string& install_path) {
    InUse in_use;
    TRIBUTARY_ASSIGN(const StateFile file, StateFile::open(files, install_path));
    if (!file.value()) return in_use;
    TRIBUTARY_ASSIGN(const InstallerState state, parse_installer_state(*file.value()));
    for (const SlotMark& mark : state.marks) in_use.versions.insert(mark.version);
    for (const rollout::Install& install : state.installs) {
        in_use.versions.insert(install.version);
        if (!install.old_version.is_none()) in_use.versions.insert(install.old_version);
        if (install.state == rollout::InstallState::downloading) in_use.downloading = true;
    }
    return in_use;
}

}  // namespace tributary::agent
