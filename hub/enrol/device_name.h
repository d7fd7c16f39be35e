// How a new board is called here: by its own word for itself, made fit, if nobody else has that;
// and how groups of boards may be called.
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

// 1 to 64 lower-case letters, digits and '-', or empty: no group.
Status check_group_name(const std::string& group);

}  // namespace tributary::hub
