// `tributary-agent run`: the agent as a daemon.
#pragma once

#include "agent/app/verbs.h"
#include "agent/update/installer.h"

namespace tributary::agent {

// Holds the store, records watched folders, syncs with the hub and serves local verbs, until
// SIGTERM or SIGINT. Recording goes on whatever becomes of broker and hub. Without an installer
// assignments are left unanswered and pushes refused. Answers `error` when the store takes no more
// writes (a failed sync): a service manager starts it again, and that recovers the store.
using MakeInstaller = std::function<std::unique_ptr<Installer>(const InstallerHost&)>;
ExitCode run_daemon(const World& world, Config config, OutputStyle style, Console& console,
                    const MakeInstaller& make_installer = {});

}  // namespace tributary::agent
