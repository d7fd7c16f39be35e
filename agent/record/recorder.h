// One commit: paths in, a durable version out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/codec.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/record/version.h"
#include "common/store/store.h"

namespace tributary::agent {

struct CommitRequest {
    std::string repo;
    std::string branch = "main";
    std::vector<std::string> paths;
    std::string author;
    std::optional<Notes> notes;  // given: a new version is made even if the tree is the head's
    std::vector<Input> inputs;   // likewise when not empty
    codec::Level level = codec::Level::standard;
    std::uint32_t workers = 1;      // threads that code, each with a codec::Coder and a piece
    std::function<Status()> admit;  // asked before anything is read or staged; none: admitted
    bool skip_same = false;         // no new version for the head's tree, whatever else is given
    // The agent's own folder, which holds the board's private key: with `select` it is left out,
    // else refused; a file of it that is named is refused in any case. Empty: none.
    std::string state_dir;

    // What becomes of each path, asked with its status as it is when the recorder comes to it.
    enum class Take : std::uint8_t {
        record,
        keep,  // as it stands at this place in the branch's head; left out when it is not there
    };
    std::function<Take(const std::string& path, const FileStatus& status)> select;  // none: record
};

struct CommitOutcome {
    VersionId version;
    TreeId tree;
    bool made = false;  // false: the branch's head already has this tree
    std::uint64_t files = 0;
    std::uint64_t plain_bytes = 0;
};

// Called while a commit takes long, between two uses of the store: the file at hand and how many
// bytes of all were recorded. An error ends the commit.
using CommitProgress = std::function<Status(const std::string& path, std::uint64_t plain_bytes)>;

class Recorder {
public:
    Recorder(Files& files, Clock& clock, Store& store, CommitProgress progress = {});
    ~Recorder();

    // Success only after the store's sync. On any error nothing was committed and nothing is
    // staged. conflict: a file changed while it was read; invalid: the request, or a file of a
    // kind that is not recorded; exhausted: no space; and what `admit` says.
    Result<CommitOutcome> commit(const CommitRequest& request);

private:
    struct Work;

    Result<CommitOutcome> stage_and_commit(const CommitRequest& request);

    Files& files_;
    Clock& clock_;
    Store& store_;
    CommitProgress progress_;
};

}  // namespace tributary::agent
