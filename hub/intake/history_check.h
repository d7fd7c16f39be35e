// Each board says in its Hello how far the hub's journal had come when it was last given a receipt.
// So a hub whose history was rewritten, or put back without a new epoch, is found out by any board
// that saw the other one.
#pragma once

#include <string>

#include "common/record/message.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// Why our own history does not hold the point that a board was shown, as a sentence; empty when it
// does, or when the point was lost with an honest restore from a backup.
Result<std::string> contradiction(Ledger& ledger, const sync::JournalPoint& shown);

// What was lost when this hub began another epoch, as the board knows it: its point is later than
// where that journal of before ends here. A sentence for the operator; empty: nothing that this
// board knows of, or a point of the present journal (contradiction()).
std::string lost_history(Ledger& ledger, const sync::JournalPoint& shown);

}  // namespace tributary::hub
