// What is wrong with the words of a command line that could not be read.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace tributary {

// One sentence, without the program's name. `otherwise`: what CLI11 said.
std::string usage_error(const CLI::App& app, int argc, const char* const* argv,
                        const std::string& otherwise);

}  // namespace tributary
