// A repository in memory: trees from maps of path to content, versions, folds.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "common/hash/hash.h"
#include "common/lineage/merge.h"
#include "common/record/tree.h"

namespace tributary::lineage {

// Path → content; a content that ends in '*' is an executable file.
using FilesOf = std::map<std::string, std::string>;

class World {
public:
    TreeId tree(const FilesOf& files) { return TreeId{directory(files).target}; }

    VersionId commit(const FilesOf& files, std::vector<VersionId> parents = {},
                     std::uint64_t time_ms = 0) {
        Version version;
        version.tree = tree(files);
        version.parents = std::move(parents);
        version.incarnation.bytes[0] = 7;
        version.author = "board";
        // Distinct even where content and parents are equal.
        version.time.wall_ms = time_ms != 0 ? time_ms : ++clock_;
        return put(version);
    }

    // A version of a tree that was made elsewhere.
    VersionId commit_tree(const EncodedTree& tree, std::vector<VersionId> parents = {}) {
        for (const EncodedTreeNode& node : tree.nodes) nodes_[node.id] = node.bytes;
        Version version;
        version.tree = tree.id;
        version.parents = std::move(parents);
        version.incarnation.bytes[0] = 7;
        version.time.wall_ms = ++clock_;
        return put(version);
    }

    VersionId put(const Version& version) {
        const Bytes bytes = *encode_version(version);
        const VersionId id = version_id(bytes);
        versions_[id] = version;
        return id;
    }

    // Folds as a hub does, and stores what came of it.
    Fold fold(const VersionId& branch, const std::vector<VersionId>& heads,
              const Policy& policy = *parse_policy("default union")) {
        auto fold = fold_heads(history, load_node(), policy, branch, heads);
        EXPECT_TRUE(fold) << fold.error().what;
        take(*fold);
        return *fold;
    }
    VersionId take(const Fold& fold) {
        if (fold.made) {
            for (const EncodedTreeNode& node : fold.tree.nodes) nodes_[node.id] = node.bytes;
            EXPECT_EQ(put(fold.version), fold.id);
        }
        return fold.id;
    }

    FilesOf files(const TreeId& id) {
        FilesOf files;
        const Status walked =
            walk_tree(id, load_node(), [&](const std::string& path, const TreeItem& item) {
                files[path] = contents_.at(item.target) +
                              (item.type == TreeItem::Type::executable ? "*" : "");
                return Status{};
            });
        EXPECT_TRUE(walked) << walked.error().what;
        return files;
    }
    FilesOf files(const VersionId& id) { return files(versions_.at(id).tree); }
    TreeId tree_of(const VersionId& id) const { return versions_.at(id).tree; }
    const Version& version(const VersionId& id) const { return versions_.at(id); }

    LoadTreeNode load_node() {
        return [this](const TreeId& id) -> Result<Bytes> {
            ++nodes_loaded;
            const auto found = nodes_.find(id);
            if (found == nodes_.end()) return fail(Errc::not_found, "no tree " + id.text());
            return found->second;
        };
    }
    LoadVersion load_version() {
        return [this](const VersionId& id) -> Result<Version> {
            ++versions_loaded;
            const auto found = versions_.find(id);
            if (found == versions_.end()) return fail(Errc::not_found, "no version " + id.text());
            return found->second;
        };
    }

    History history{load_version()};
    std::size_t nodes_loaded = 0;
    std::size_t versions_loaded = 0;

private:
    TreeItem directory(const FilesOf& files) {
        std::vector<TreeItem> items;
        std::map<std::string, FilesOf> below;
        for (const auto& [path, content] : files) {
            if (const auto slash = path.find('/'); slash != path.npos) {
                below[path.substr(0, slash)][path.substr(slash + 1)] = content;
                continue;
            }
            const bool executable = content.ends_with('*');
            const std::string text = content.substr(0, content.size() - (executable ? 1 : 0));
            const Digest digest = sha256(as_bytes(text));
            contents_[digest] = text;
            items.push_back({executable ? TreeItem::Type::executable : TreeItem::Type::file, path,
                             digest, text.size()});
        }
        for (const auto& [name, inner] : below) {
            TreeItem item = directory(inner);
            item.name = name;
            items.push_back(item);
        }
        EncodedTree encoded = *encode_tree(std::move(items));
        for (EncodedTreeNode& node : encoded.nodes) nodes_[node.id] = std::move(node.bytes);
        return {TreeItem::Type::tree, "", encoded.id.digest, encoded.size};
    }

    std::map<TreeId, Bytes> nodes_;
    std::map<VersionId, Version> versions_;
    std::map<Digest, std::string> contents_;
    std::uint64_t clock_ = 0;
};

// Few names and contents, so that versions meet.
inline FilesOf random_files(std::mt19937& random, FilesOf files = {}) {
    static const char* const names[] = {"a", "b", "d/a", "d/b", "d/e/a", "d-a", "e/a", "e", "f/g"};
    for (std::uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
        const std::string name = names[random() % std::size(names)];
        // A file and a directory cannot share a name.
        std::erase_if(files, [&](const auto& file) {
            return file.first.starts_with(name + "/") || name.starts_with(file.first + "/");
        });
        if (random() % 4 == 0)
            files.erase(name);
        else
            files[name] = std::string(1, static_cast<char>('0' + random() % 4)) +
                          (random() % 8 == 0 ? "*" : "");
    }
    return files;
}

}  // namespace tributary::lineage
