#include "hub/cli/hub_arguments.h"

#include <gmock/gmock.h>

namespace tributary::hub {
namespace {

HubArguments parsed(std::vector<std::string> words) {
    words.insert(words.begin(), "tributary-hub");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return parse_hub_arguments(static_cast<int>(argv.size()), argv.data());
}

// A hub that is there already goes by none of them.
TEST(HubArguments, OfUpNameTheOptionsThatWereGiven) {
    EXPECT_THAT(parsed({"up", "DIR"}).init.given, testing::IsEmpty());
    EXPECT_THAT(parsed({"up", "DIR", "--approver", "eve=f", "--devices-port", "8461"}).init.given,
                testing::UnorderedElementsAre("--approver", "--devices-port"));
}

}  // namespace
}  // namespace tributary::hub
