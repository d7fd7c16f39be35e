// Watches a folder and its direct subfolders for files whose writer has finished.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/net/loop.h"

namespace tributary {

enum class WatchEvent : std::uint8_t {
    written,   // a writer closed it
    moved_in,  // renamed into place
    // It was there when the folder began to be watched, or after an overflow: whether its writer
    // has finished is unknown.
    found,
    removed,   // deleted or renamed away
    overflow,  // events were lost; `found` of everything follows. Path is the folder.
    gone,      // the folder itself went away; nothing follows. Path is the folder.
};

// Stops when destroyed.
class DirectoryWatch {
public:
    virtual ~DirectoryWatch() = default;
};

// Path: the watched directory as given, '/', then the name. Regular files only; links and folders
// are not reported. One file may be reported more than once.
using WatchCallback = std::function<void(const std::string& path, WatchEvent event)>;

// Files that are already there are reported as `found`, soon after the call. not_found and denied
// name the path; exhausted: the kernel's limit of watches or instances (says which sysctl).
Result<std::unique_ptr<DirectoryWatch>> watch_directory(NetLoop& loop, const std::string& directory,
                                                        WatchCallback callback);

}  // namespace tributary
