#include "agent/record/paths.h"

#include <map>

#include "common/record/tree.h"

namespace tributary::agent {

Result<std::vector<SourcePath>> name_sources(const std::vector<std::string>& paths) {
    std::vector<SourcePath> sources;
    std::map<std::string, std::string> by_name;
    for (const std::string& given : paths) {
        std::string path = given;
        while (path.size() > 1 && path.ends_with('/')) path.pop_back();
        std::string name(file_name(path));
        if (!valid_tree_name(name)) {
            return fail(Errc::invalid, "'" + given +
                                           "' has no name to be recorded under; give the file or " +
                                           "folder by its own name, such as 'data/photos'");
        }
        const auto [at, is_new] = by_name.emplace(name, given);
        if (!is_new) {
            return fail(Errc::invalid, "'" + at->second + "' and '" + given +
                                           "' would both be recorded as '" + name +
                                           "'; rename one, or give the folder that holds both");
        }
        sources.push_back({std::move(path), std::move(name)});
    }
    return sources;
}

Status check_recordable(const std::string& path, const FileStatus& status) {
    switch (status.kind) {
        case FileStatus::Kind::directory: return {};
        case FileStatus::Kind::symlink:
            return fail(Errc::invalid,
                        path + " is a symbolic link, and links are not recorded; give " +
                            "what it points to, or leave it out");
        case FileStatus::Kind::other:
            return fail(
                Errc::invalid,
                path + " is a device, socket or pipe, which are not recorded; " + "leave it out");
        case FileStatus::Kind::regular: break;
    }
    if (status.set_id) {
        return fail(Errc::invalid,
                    path + " runs with another user's rights (set-id bit), which is not " +
                        "recorded; remove the bit with 'chmod ug-s', or leave the file out");
    }
    return {};
}

}  // namespace tributary::agent
