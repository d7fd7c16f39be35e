// Configuration: every key is declared once, bound to a field of a struct. From the declarations
// come the reading of a TOML file, the check for unknown keys, `--print-config` and the table in
// docs/config.md, so that they cannot disagree. The default of a key is what its field holds when
// it is declared.
//
//   struct Config { std::string state_dir; std::uint64_t flush_ms = 5000; std::vector<Watch>
//   watches; };
//
//   void declare(ConfigTable& table, Config& config) {
//       table.text("state_dir", config.state_dir, "Where the store lives.").require();
//       ConfigTable& log = table.section("log", "What is written to stderr.");
//       log.duration("flush", config.flush_ms, "Longest wait before a batch is synced.");
//       table.tables<Watch>("watch", config.watches, "A folder to record.", declare_watch);
//   }
//
// The fields must outlive the table.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary {

// A size, or so many percent of what there is.
struct SizeOrPercent {
    std::uint64_t bytes = 0;
    std::uint32_t percent = 0;  // not 0: counts instead of `bytes`
    bool operator==(const SizeOrPercent&) const = default;
};

// What a person reads about one key.
struct ConfigKeyInfo {
    std::string path;  // `hub.url`; `model[].name` in an array of tables
    std::string type;  // text, list of texts, integer, number, true or false, duration, size,
                       // size or percent
    std::string default_value;  // as TOML; empty when the key is required
    std::string help;
    bool required = false;
};

// One declared key; returned to refine it.
class ConfigKey {
public:
    ConfigKey& require() { return required_ = true, *this; }
    // Only these texts are accepted.
    ConfigKey& one_of(std::vector<std::string> choices) {
        return choices_ = std::move(choices), *this;
    }

private:
    friend class ConfigTable;
    friend class ConfigReader;
    using Value = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;
    // Sets the field, or answers what it wants instead.
    using Set = std::function<std::optional<std::string>(const Value&)>;
    using Print = std::function<std::string()>;  // the field's value as TOML

    std::string name_, type_, help_, default_value_;
    std::vector<std::string> choices_;
    bool required_ = false;
    Set set_;
    Print print_;
};

class ConfigTable {
public:
    ConfigTable() = default;
    ConfigTable(const ConfigTable&) = delete;
    ConfigTable& operator=(const ConfigTable&) = delete;

    // References stay valid as long as the table.
    ConfigKey& text(std::string_view name, std::string& field, std::string_view help);
    ConfigKey& texts(std::string_view name, std::vector<std::string>& field, std::string_view help);
    ConfigKey& flag(std::string_view name, bool& field, std::string_view help);
    ConfigKey& number(std::string_view name, double& field, std::string_view help, double min,
                      double max);
    // "250ms", "30s", "5m", "2h", "7d": milliseconds in the field.
    ConfigKey& duration(std::string_view name, std::uint64_t& field_ms, std::string_view help);
    // "512B", "64KiB", "10MiB", "1GiB"; also kB, MB, GB of 1000: bytes in the field.
    ConfigKey& size(std::string_view name, std::uint64_t& field_bytes, std::string_view help);
    // The same, or "1%" to "100%".
    ConfigKey& size_or_percent(std::string_view name, SizeOrPercent& field, std::string_view help);
    template <class T>
    ConfigKey& integer(std::string_view name, T& field, std::string_view help,
                       T min = std::numeric_limits<T>::min(),
                       T max = std::numeric_limits<T>::max()) {
        static_assert(std::is_integral_v<T>);
        constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
        return add_integer(
            name, help, static_cast<std::int64_t>(min),
            std::in_range<std::int64_t>(max) ? static_cast<std::int64_t>(max) : kMax,
            [&field](std::int64_t value) { field = static_cast<T>(value); },
            [&field] { return std::to_string(field); });
    }

    // A table of this one: `[name]`.
    ConfigTable& section(std::string_view name, std::string_view help);
    // An array of tables: `[[name]]`, one T each. What the file says replaces what the vector held.
    template <class T>
    void tables(std::string_view name, std::vector<T>& items, std::string_view help,
                void (*declare)(ConfigTable&, T&)) {
        Tables& added = add_tables(name, help);
        added.clear = [&items] { items.clear(); };
        added.add = [&items, declare](const Use& use) -> Status {
            T item;
            ConfigTable table;
            declare(table, item);
            TRIBUTARY_TRY(use(table));
            items.push_back(std::move(item));
            return {};
        };
        added.visit = [&items, declare](const Use& use) -> Status {
            for (T& item : items) {
                ConfigTable table;
                declare(table, item);
                TRIBUTARY_TRY(use(table));
            }
            return {};
        };
        added.describe = [declare](const Use& use) -> Status {
            T item;
            ConfigTable table;
            declare(table, item);
            return use(table);
        };
    }

    // Sets the fields from TOML text. invalid, naming file, line and key: for what is not TOML, an
    // unknown key (with the nearest known one), a wrong type, a value out of range, a required key
    // that is missing. After an error the fields are partly set: drop them.
    Status read(std::string_view toml, std::string_view file_name);
    // The same, of a file of at most 1 MiB.
    Status read_file(Files& files, const std::string& path);

    // What is in force now, as TOML that read() accepts.
    std::string print() const;
    // Every declared key in order, those of arrays of tables once.
    std::vector<ConfigKeyInfo> keys() const;

private:
    friend class ConfigReader;
    using Use = std::function<Status(ConfigTable&)>;
    struct Section {
        std::string name, help;
        std::unique_ptr<ConfigTable> table;
    };
    struct Tables {
        std::string name, help;
        std::function<void()> clear;
        std::function<Status(const Use&)> add;       // a new item
        std::function<Status(const Use&)> visit;     // every item there is
        std::function<Status(const Use&)> describe;  // an item that is thrown away
    };

    ConfigKey& add(std::string_view name, std::string_view type, std::string_view help,
                   ConfigKey::Set set, ConfigKey::Print print);
    ConfigKey& add_integer(std::string_view name, std::string_view help, std::int64_t min,
                           std::int64_t max, std::function<void(std::int64_t)> set,
                           ConfigKey::Print print);
    Tables& add_tables(std::string_view name, std::string_view help);
    void print_to(std::string& out, const std::string& prefix) const;
    void keys_to(std::vector<ConfigKeyInfo>& out, const std::string& prefix) const;

    std::vector<std::unique_ptr<ConfigKey>> keys_;
    std::vector<Section> sections_;
    std::vector<std::unique_ptr<Tables>> tables_;
};

// `| key | type | default | meaning |`, a line a key: the table of docs/config.md.
std::string config_table_markdown(const std::vector<ConfigKeyInfo>& keys);

// nullopt when the text is no such quantity or does not fit 64 bits.
std::optional<std::uint64_t> parse_duration_ms(std::string_view text);
std::optional<std::uint64_t> parse_size_bytes(std::string_view text);
std::optional<SizeOrPercent> parse_size_or_percent(std::string_view text);
// The shortest exact spelling: 5000 -> "5s", 65536 -> "64KiB".
std::string duration_text(std::uint64_t ms);
std::string size_text(std::uint64_t bytes);
std::string size_text(const SizeOrPercent& size);

// A file in which every key is explained and none is set: each is commented out.
std::string commented_toml(std::string_view title, const std::vector<ConfigKeyInfo>& keys);

}  // namespace tributary
