// A model's two slots and the `current` link, as files.
//
//   DIR/a, DIR/b     a folder each: the files of one version
//   DIR/current      a link to "a" or "b": the truth of what runs; missing when nothing does
//
// Filling and reading back go in steps of at most one piece or block, so that a caller with other
// work is never held up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/env/files.h"
#include "common/hash/hash.h"
#include "common/record/recipe.h"
#include "common/record/tree.h"
#include "common/store/store.h"

namespace tributary::agent {

inline constexpr const char* kSlots[] = {"a", "b"};

std::string current_link(const std::string& model_dir);
// "a" or "b"; empty when there is no link. conflict when `current` is something else than such a
// link.
Result<std::string> running_slot(Files& files, const std::string& model_dir);
// Durable. An empty slot: no link any more.
Status switch_to(Files& files, const std::string& model_dir, const std::string& slot);
// Removes a folder with all below it, following no link. Success when it is not there.
Status remove_tree(Files& files, const std::string& path);

// What of a version goes into a slot: all of it, or one file under its own name.
struct SlotContent {
    TreeId tree;  // of the slot, as it will be read back
    std::uint64_t bytes = 0;
    std::vector<TreeItem> items;  // of its top folder
};
// `path` as in an Assignment. invalid when the tree has no such file, or is none that a version may
// have.
Result<SlotContent> slot_content(Store& store, const TreeId& tree, const std::string& path);

// Writes the content into an empty folder, each file synced, each folder synced after its files.
class SlotWriter {
public:
    // Both outlive it; the folder is there and empty.
    SlotWriter(Files& files, std::string slot_dir, SlotContent content);
    // True when all is written. not_found or corrupt: the store lacks an object or lost it.
    Result<bool> step(Store& store);

private:
    struct Folder {
        std::string path;
        std::vector<TreeItem> items;
        std::size_t next = 0;
    };
    struct OpenFile {
        std::unique_ptr<File> file;
        Recipe recipe;
        std::size_t next = 0;
    };
    Result<bool> step_file(Store& store);
    Status begin(Store& store, const std::string& path, const TreeItem& item);

    Files& files_;
    std::vector<Folder> folders_;  // from the top to the one at hand
    std::optional<OpenFile> open_;
};

// Reads a folder back and computes the id of the tree that it holds.
class SlotReader {
public:
    SlotReader(Files& files, std::string slot_dir);
    // The tree's id when all is read. corrupt: something that no tree holds, such as a link.
    Result<std::optional<TreeId>> step();

private:
    struct Folder {
        std::string path;
        std::string name;
        std::vector<std::string> names;
        std::size_t next = 0;
        std::vector<TreeItem> items;
    };
    struct OpenFile {
        std::unique_ptr<File> file;
        Sha256 hash;
        TreeItem item;
    };
    Status open(const std::string& path, const std::string& name);
    Status begin(const std::string& path, const std::string& name);
    Status step_file();

    Files& files_;
    std::string slot_dir_;
    bool begun_ = false;
    std::vector<Folder> folders_;
    std::optional<OpenFile> open_;
    Bytes block_;
};

}  // namespace tributary::agent
