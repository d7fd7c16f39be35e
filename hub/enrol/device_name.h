// How a new board is called here: by its own word for itself, made fit, if nobody else has that.
#pragma once

#include <string>
#include <string_view>

#include "hub/store/catalog.h"

namespace tributary::hub {

// Whatever a board calls itself, as a device id: lower case, '-' for the rest, at most 48
// characters.
std::string as_device_id(std::string_view name);

// That id, or with the first digits of the journal if it is taken or promised. conflict when all
// are.
Result<std::string> free_device_id(const Catalog& catalog, std::string_view name,
                                   const Incarnation& journal);

}  // namespace tributary::hub
