// The one file that sees toml++.
#include <toml++/toml.h>

#include <algorithm>
#include <exception>

#include "common/text/nearest.h"
#include "common/text/toml.h"

namespace tributary {
namespace {

std::string nearest_key(const std::string& name, const std::vector<std::string>& known) {
    const std::string key = nearest(name, known);
    return key.empty() ? "no keys are known here" : "the nearest known key is '" + key + "'";
}

}  // namespace

class ConfigReader {
public:
    explicit ConfigReader(std::string_view file_name) : file_name_(file_name) {}

    // `path` names the table for a person: "", "hub" or "model".
    Status read_table(ConfigTable& table, const toml::table& from, const std::string& path) {
        for (const auto& tables : table.tables_)
            if (from.contains(tables->name)) tables->clear();
        for (const auto& [name, node] : from)
            TRIBUTARY_TRY(read_member(table, std::string(name.str()), node, path));
        return check_required(table, from, path);
    }

    tl::unexpected<Error> refuse(const toml::source_region& where, const std::string& what) const {
        // What is missing altogether stands on no line.
        const auto line = where.begin.line;
        const std::string place = line == 0 ? "" : ", line " + std::to_string(line);
        return fail(Errc::invalid, file_name_ + place + ": " + what);
    }

private:
    static std::string join(const std::string& path, const std::string& name) {
        return path.empty() ? name : path + "." + name;
    }

    Status read_member(ConfigTable& table, const std::string& name, const toml::node& node,
                       const std::string& path) {
        for (const auto& key : table.keys_)
            if (key->name_ == name) return read_key(*key, node, join(path, name));
        for (const auto& section : table.sections_)
            if (section.name == name) {
                if (const toml::table* inner = node.as_table())
                    return read_table(*section.table, *inner, join(path, name));
                return refuse(node.source(), "'" + join(path, name) + "' is a section; write [" +
                                                 join(path, name) + "]");
            }
        for (const auto& tables : table.tables_)
            if (tables->name == name) return read_tables(*tables, node, join(path, name));
        return refuse(node.source(), "unknown key '" + join(path, name) + "'; " +
                                         nearest_key(join(path, name), known_names(table, path)));
    }

    Status read_tables(ConfigTable::Tables& tables, const toml::node& node,
                       const std::string& path) {
        const toml::array* items = node.as_array();
        if (items == nullptr || !(items->empty() || items->is_array_of_tables()))
            return refuse(node.source(),
                          "'" + path + "' may stand several times; write [[" + path + "]]");
        for (const toml::node& item : *items)
            TRIBUTARY_TRY(tables.add(
                [&](ConfigTable& table) { return read_table(table, *item.as_table(), path); }));
        return {};
    }

    Status read_key(const ConfigKey& key, const toml::node& node, const std::string& path) {
        const auto value = scalar(node);
        std::optional<std::string> wanted = "a value";
        if (value && is_choice(key, *value)) wanted = key.set_(*value);
        if (value && !is_choice(key, *value)) {
            wanted = "one of";
            for (const std::string& choice : key.choices_) *wanted += " \"" + choice + "\"";
        }
        if (!wanted) return {};
        return refuse(node.source(), "'" + path + "' must be " + *wanted);
    }

    static bool is_choice(const ConfigKey& key, const ConfigKey::Value& value) {
        const auto* text = std::get_if<std::string>(&value);
        return key.choices_.empty() ||
               (text != nullptr && std::ranges::find(key.choices_, *text) != key.choices_.end());
    }

    static std::optional<ConfigKey::Value> scalar(const toml::node& node) {
        if (const auto* text = node.as_string()) return text->get();
        if (const auto* integer = node.as_integer()) return integer->get();
        if (const auto* real = node.as_floating_point()) return real->get();
        if (const auto* flag = node.as_boolean()) return flag->get();
        const toml::array* array = node.as_array();
        if (array == nullptr) return std::nullopt;
        std::vector<std::string> texts;
        for (const toml::node& item : *array) {
            if (!item.is_string()) return std::nullopt;
            texts.push_back(item.as_string()->get());
        }
        return texts;
    }

    Status check_required(const ConfigTable& table, const toml::table& from,
                          const std::string& path) const {
        for (const auto& key : table.keys_)
            if (key->required_ && !from.contains(key->name_))
                return refuse(from.source(),
                              "'" + join(path, key->name_) + "' is missing; it is: " + key->help_);
        // A section that is not written still has to hold what is required of it.
        for (const auto& section : table.sections_)
            if (!from.contains(section.name))
                TRIBUTARY_TRY(
                    check_required(*section.table, toml::table{}, join(path, section.name)));
        return {};
    }

    static std::vector<std::string> known_names(const ConfigTable& table, const std::string& path) {
        std::vector<std::string> names;
        for (const auto& key : table.keys_) names.push_back(join(path, key->name_));
        for (const auto& section : table.sections_) names.push_back(join(path, section.name));
        for (const auto& tables : table.tables_) names.push_back(join(path, tables->name));
        return names;
    }

    std::string file_name_;
};

Status ConfigTable::read(std::string_view toml, std::string_view file_name) {
    ConfigReader reader(file_name);
    toml::table root;
    try {
        root = toml::parse(toml);
    } catch (const toml::parse_error& error) {
        return reader.refuse(error.source(),
                             "this is not TOML (" + std::string(error.description()) +
                                 "); docs/config.md shows each key as it is written");
    } catch (const std::exception& error) {
        return fail(Errc::exhausted, std::string(file_name) + ": " + error.what());
    }
    return reader.read_table(*this, root, "");
}

Status ConfigTable::read_file(Files& files, const std::string& path) {
    constexpr std::uint64_t kConfigBytesMax = 1u << 20;
    TRIBUTARY_ASSIGN(const Bytes text, tributary::read_file(files, path, kConfigBytesMax));
    return read(as_text(text), path);
}

}  // namespace tributary
