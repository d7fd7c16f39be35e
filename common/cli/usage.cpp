#include "common/cli/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "common/text/nearest.h"

namespace tributary {
namespace {

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
    const std::string near = nearest(word, known);
    const bool alike = !near.empty() && edit_distance(word, near) <= 1 + word.size() / 4;
    return alike ? "; did you mean '" + near + "'?" : std::string();
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    return names;
}

// Of a verb and of what it stands under, whose options may follow it.
const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
    for (const CLI::App* at = &app; at; at = at->get_parent())
        if (const CLI::Option* option = at->get_option_no_throw(name)) return option;
    return nullptr;
}

std::vector<std::string> options_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* at = &app; at; at = at->get_parent())
        for (const CLI::Option* option : at->get_options())
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

bool takes_a_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

}  // namespace

std::string usage_error(const CLI::App& root, int argc, const char* const* argv,
                        const std::string& otherwise) {
    const CLI::App* app = &root;
    std::string path = root.get_name();
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--") return otherwise;
        if (word.size() > 1 && word.front() == '-') {
            const bool is_long = word.starts_with("--");
            const std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
            const CLI::Option* option = find_option(*app, name);
            if (!option)
                return "unknown option '" + name + "'" + did_you_mean(name, options_of(*app));
            if (takes_a_value(*option) && name == word) ++i;
            continue;
        }
        const std::vector<const CLI::App*> commands = commands_of(*app);
        if (commands.empty()) continue;
        const auto command = std::ranges::find_if(
            commands, [&](const CLI::App* one) { return one->get_name() == word; });
        if (command == commands.end())
            return "unknown command '" + word + "'" + did_you_mean(word, names_of(commands));
        app = *command;
        path += " " + word;
    }
    const std::vector<const CLI::App*> commands = commands_of(*app);
    if (commands.empty() || otherwise.find("subcommand") == std::string::npos) return otherwise;
    std::string list;
    for (const std::string& name : names_of(commands)) list += (list.empty() ? "" : ", ") + name;
    return "'" + path + "' needs a command: " + list;
}

}  // namespace tributary
