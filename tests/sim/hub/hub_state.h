// All that a hub says from what it holds, as lines to compare: of two hubs that were told the same,
// in whatever order, they are the same. Not among them is what differs by nature: the hub's own
// journal, and signatures by its key.
#pragma once

#include <string>
#include <vector>

#include "hub/store/ledger.h"

namespace tributary::test {

std::vector<std::string> state_of(hub::Ledger& ledger);

}  // namespace tributary::test
