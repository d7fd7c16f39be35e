// JSON values: parse, build, read with checked types, write. Integers stay exact over the whole
// signed and unsigned 64-bit range; objects keep the order of their members.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace tributary {

struct JsonMember;

class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<JsonMember>;

    Json();  // null
    template <class T>
    requires std::same_as<T, bool> Json(T value) : Json(Scalar{value}) {}
    template <class T>
    requires(std::integral<T> && !std::same_as<T, bool>) Json(T value)
        : Json(std::in_range<std::int64_t>(value) ? Scalar{static_cast<std::int64_t>(value)}
                                                  : Scalar{static_cast<std::uint64_t>(value)}) {}
    // Written as null when it is not finite: JSON has no word for it.
    Json(double value);
    Json(const char* value);
    Json(std::string_view value);
    Json(std::string value);
    explicit Json(Array items);
    explicit Json(Object members);  // whose names are distinct

    Json(const Json&);
    Json(Json&&) noexcept;
    Json& operator=(const Json&);
    Json& operator=(Json&&) noexcept;
    ~Json();

    static Json array(std::initializer_list<Json> items = {});
    static Json object(std::initializer_list<JsonMember> members = {});

    // ---- building ----
    // Adds a member at the end, or replaces the one of that name. On a value that is no object: a
    // programmer error, as is push() on what is no array.
    Json& set(std::string_view name, Json value);
    Json& push(Json value);

    // ---- reading ----
    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    // nullopt or nullptr when it is of another kind or, for integers, does not fit.
    std::optional<bool> as_bool() const;
    std::optional<std::int64_t> as_i64() const;
    std::optional<std::uint64_t> as_u64() const;
    std::optional<double> as_double() const;  // integers too
    const std::string* as_text() const { return std::get_if<std::string>(&value_); }
    const Array* as_array() const { return std::get_if<Array>(&value_); }
    const Object* as_object() const { return std::get_if<Object>(&value_); }
    // nullptr when this is no object or has no such member.
    const Json* find(std::string_view name) const;

    // Members that must be there, of one kind: else invalid, and `what` names the member.
    Result<bool> bool_at(std::string_view name) const;
    Result<std::int64_t> i64_at(std::string_view name) const;
    Result<std::uint64_t> u64_at(std::string_view name) const;
    Result<double> double_at(std::string_view name) const;
    Result<std::string> text_at(std::string_view name) const;
    Result<const Array*> array_at(std::string_view name) const;    // lives as long as this value
    Result<const Object*> object_at(std::string_view name) const;  // likewise

    // ---- writing ----
    // One line without spaces; bytes that are not UTF-8 become U+FFFD, so that what a file is
    // called never breaks a document.
    std::string text() const;
    // Two spaces a level, for people; ends without a newline.
    std::string pretty() const;

    bool operator==(const Json&) const;

private:
    friend class JsonWriter;
    using Scalar = std::variant<bool, std::int64_t, std::uint64_t>;
    explicit Json(Scalar value);

    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
                 Object>
        value_;
};

struct JsonMember {
    std::string name;
    Json value;
    bool operator==(const JsonMember&) const;
};

struct JsonLimits {
    std::size_t bytes_max = 4u << 20;
    std::size_t depth_max = 32;
};

// One document and nothing else. invalid, with the place, for what is not JSON, not UTF-8, past a
// limit, an integer past 64 bits, or a name that stands twice in one object.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

// `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

}  // namespace tributary
