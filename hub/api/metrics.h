// The hub's counters in Prometheus' text format.
#pragma once

#include <string>

namespace tributary::hub {

class Hub;

std::string metrics_text(Hub& hub);

}  // namespace tributary::hub
