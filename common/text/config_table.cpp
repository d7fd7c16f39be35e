// Declaring, printing and listing keys; reading is in toml.cpp.
#include <algorithm>
#include <cmath>

#include "common/text/json.h"
#include "common/text/toml.h"

namespace tributary {
namespace {

// TOML's basic strings have JSON's escapes.
std::string toml_text(const std::string& text) { return json_quoted(text); }

std::string toml_list(const std::vector<std::string>& texts) {
    std::string list = "[";
    for (const std::string& text : texts) {
        if (list.size() > 1) list += ", ";
        list += toml_text(text);
    }
    return list + "]";
}

// Sets `field` when the value is a T, else answers what is wanted.
template <class T>
auto setter(T& field, std::string wanted) {
    return [&field, wanted](const auto& value) -> std::optional<std::string> {
        const T* fitting = std::get_if<T>(&value);
        if (fitting == nullptr) return wanted;
        field = *fitting;
        return std::nullopt;
    };
}

template <class Parse>
auto quantity_setter(std::uint64_t& field, Parse parse, std::string wanted) {
    return [&field, parse, wanted](const auto& value) -> std::optional<std::string> {
        const auto* text = std::get_if<std::string>(&value);
        const auto parsed = text ? parse(*text) : std::nullopt;
        if (!parsed) return wanted;
        field = *parsed;
        return std::nullopt;
    };
}

// `hub.url` -> `[hub]`, `model[].name` -> `[[model]]`, `state_dir` -> nothing.
std::string heading_of(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {};
    const std::string table = path.substr(0, dot);
    if (table.ends_with("[]")) return "[[" + table.substr(0, table.size() - 2) + "]]";
    return "[" + table + "]";
}

std::string escape_cell(std::string_view text) {
    std::string cell;
    for (const char c : text) {
        if (c == '|') cell += '\\';
        cell += c;
    }
    return cell;
}

}  // namespace

ConfigKey& ConfigTable::add(std::string_view name, std::string_view type, std::string_view help,
                            ConfigKey::Set set, ConfigKey::Print print) {
    auto key = std::make_unique<ConfigKey>();
    key->name_ = name;
    key->type_ = type;
    key->help_ = help;
    key->default_value_ = print();
    key->set_ = std::move(set);
    key->print_ = std::move(print);
    return *keys_.emplace_back(std::move(key));
}

ConfigKey& ConfigTable::text(std::string_view name, std::string& field, std::string_view help) {
    return add(name, "text", help, setter(field, "a text in quotes"),
               [&field] { return toml_text(field); });
}

ConfigKey& ConfigTable::texts(std::string_view name, std::vector<std::string>& field,
                              std::string_view help) {
    return add(name, "list of texts", help, setter(field, "a list of texts such as [\"a\", \"b\"]"),
               [&field] { return toml_list(field); });
}

ConfigKey& ConfigTable::flag(std::string_view name, bool& field, std::string_view help) {
    return add(name, "true or false", help, setter(field, "true or false"),
               [&field] { return std::string(field ? "true" : "false"); });
}

ConfigKey& ConfigTable::number(std::string_view name, double& field, std::string_view help,
                               double min, double max) {
    const auto set = [&field, min,
                      max](const ConfigKey::Value& value) -> std::optional<std::string> {
        const auto* real = std::get_if<double>(&value);
        const auto* whole = std::get_if<std::int64_t>(&value);
        const double number = real ? *real : whole ? static_cast<double>(*whole) : std::nan("");
        if (number >= min && number <= max) return field = number, std::nullopt;
        return "a number from " + Json(min).text() + " to " + Json(max).text();
    };
    return add(name, "number", help, set, [&field] { return Json(field).text(); });
}

ConfigKey& ConfigTable::duration(std::string_view name, std::uint64_t& field_ms,
                                 std::string_view help) {
    return add(name, "duration", help,
               quantity_setter(field_ms, parse_duration_ms,
                               "a duration with its unit, such as \"250ms\", \"30s\" or \"5m\""),
               [&field_ms] { return toml_text(duration_text(field_ms)); });
}

ConfigKey& ConfigTable::size(std::string_view name, std::uint64_t& field_bytes,
                             std::string_view help) {
    return add(name, "size", help,
               quantity_setter(
                   field_bytes, parse_size_bytes,
                   "a size with its unit and no space between, such as \"64KiB\" or \"10MiB\""),
               [&field_bytes] { return toml_text(size_text(field_bytes)); });
}

ConfigKey& ConfigTable::size_or_percent(std::string_view name, SizeOrPercent& field,
                                        std::string_view help) {
    const auto set = [&field](const ConfigKey::Value& value) -> std::optional<std::string> {
        const auto* text = std::get_if<std::string>(&value);
        const auto parsed = text ? parse_size_or_percent(*text) : std::nullopt;
        if (!parsed)
            return "a size with its unit and no space between, such as \"10MiB\", or a "
                   "share of 1% to 100%, such as \"50%\"";
        field = *parsed;
        return std::nullopt;
    };
    return add(name, "size or percent", help, set,
               [&field] { return toml_text(size_text(field)); });
}

ConfigKey& ConfigTable::add_integer(std::string_view name, std::string_view help, std::int64_t min,
                                    std::int64_t max, std::function<void(std::int64_t)> set,
                                    ConfigKey::Print print) {
    const auto checked = [min, max,
                          set](const ConfigKey::Value& value) -> std::optional<std::string> {
        const auto* number = std::get_if<std::int64_t>(&value);
        if (number == nullptr || *number < min || *number > max)
            return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
        set(*number);
        return std::nullopt;
    };
    return add(name, "integer", help, checked, std::move(print));
}

ConfigTable& ConfigTable::section(std::string_view name, std::string_view help) {
    const auto there = std::ranges::find(sections_, name, &Section::name);
    if (there != sections_.end()) return *there->table;
    sections_.push_back({std::string(name), std::string(help), std::make_unique<ConfigTable>()});
    return *sections_.back().table;
}

ConfigTable::Tables& ConfigTable::add_tables(std::string_view name, std::string_view help) {
    tables_.push_back(std::make_unique<Tables>());
    tables_.back()->name = name;
    tables_.back()->help = help;
    return *tables_.back();
}

std::string ConfigTable::print() const {
    std::string out;
    print_to(out, "");
    return out;
}

void ConfigTable::print_to(std::string& out, const std::string& prefix) const {
    for (const auto& key : keys_) out += key->name_ + " = " + key->print_() + "\n";
    for (const Section& section : sections_) {
        const std::string path = prefix + section.name;
        out += "\n# " + section.help + "\n[" + path + "]\n";
        section.table->print_to(out, path + ".");
    }
    for (const auto& tables : tables_) {
        const std::string path = prefix + tables->name;
        const auto print_item = [&](ConfigTable& item) -> Status {
            out += "\n[[" + path + "]]\n";
            item.print_to(out, path + ".");
            return {};
        };
        static_cast<void>(tables->visit(print_item));  // printing does not fail
    }
}

std::vector<ConfigKeyInfo> ConfigTable::keys() const {
    std::vector<ConfigKeyInfo> infos;
    keys_to(infos, "");
    return infos;
}

void ConfigTable::keys_to(std::vector<ConfigKeyInfo>& out, const std::string& prefix) const {
    for (const auto& key : keys_) {
        std::string type = key->type_;
        for (const std::string& choice : key->choices_)
            type += (&choice == &key->choices_.front() ? ": " : ", ") + choice;
        out.push_back({prefix + key->name_, type, key->required_ ? "" : key->default_value_,
                       key->help_, key->required_});
    }
    for (const Section& section : sections_)
        section.table->keys_to(out, prefix + section.name + ".");
    for (const auto& tables : tables_) {
        const auto list = [&](ConfigTable& item) -> Status {
            item.keys_to(out, prefix + tables->name + "[].");
            return {};
        };
        static_cast<void>(tables->describe(list));  // listing does not fail
    }
}

std::string config_table_markdown(const std::vector<ConfigKeyInfo>& keys) {
    std::string table = "| Key | Type | Default | Meaning |\n|---|---|---|---|\n";
    for (const ConfigKeyInfo& key : keys)
        table += "| `" + key.path + "` | " + escape_cell(key.type) + " | " +
                 (key.required ? "required" : "`" + escape_cell(key.default_value) + "`") + " | " +
                 escape_cell(key.help) + " |\n";
    return table;
}

std::string commented_toml(std::string_view title, const std::vector<ConfigKeyInfo>& keys) {
    std::string out = "# " + std::string(title) +
                      " A key with '#' before it shows its default; to change it, remove\n"
                      "# that '#' and the one of the [table] above it.\n";
    std::string heading;
    for (const ConfigKeyInfo& key : keys) {
        if (heading_of(key.path) != heading) {
            heading = heading_of(key.path);
            out += "\n#" + heading + "\n";
        }
        out += "\n# " + key.help + "\n#" + key.path.substr(key.path.rfind('.') + 1) + " = " +
               (key.required ? "\"\"  # required" : key.default_value) + "\n";
    }
    return out;
}

}  // namespace tributary
