#include "common/text/json.h"

#include <algorithm>

namespace tributary {
namespace {

std::string missing(std::string_view name, std::string_view kind) {
    return "'" + std::string(name) + "' must be there and be " + std::string(kind);
}

template <class T>
Result<T> need(std::optional<T> value, std::string_view name, std::string_view kind) {
    if (value) return *value;
    return fail(Errc::invalid, missing(name, kind));
}

}  // namespace

// Here, where JsonMember is complete.
Json::Json() = default;
Json::Json(Scalar value) {
    std::visit([this](auto scalar) { value_ = scalar; }, value);
}
Json::Json(double value) : value_(value) {}
Json::Json(const char* value) : value_(std::string(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(Array items) : value_(std::move(items)) {}
Json::Json(Object members) : value_(std::move(members)) {}
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::array(std::initializer_list<Json> items) { return Json(Array(items)); }

Json Json::object(std::initializer_list<JsonMember> members) {
    Json value{Object{}};
    for (const JsonMember& member : members) value.set(member.name, member.value);
    return value;
}

Json& Json::set(std::string_view name, Json value) {
    auto* members = std::get_if<Object>(&value_);
    TRIBUTARY_CHECK(members != nullptr);
    const auto there = std::ranges::find(*members, name, &JsonMember::name);
    if (there != members->end())
        there->value = std::move(value);
    else
        members->push_back({std::string(name), std::move(value)});
    return *this;
}

Json& Json::push(Json value) {
    auto* items = std::get_if<Array>(&value_);
    TRIBUTARY_CHECK(items != nullptr);
    items->push_back(std::move(value));
    return *this;
}

std::optional<bool> Json::as_bool() const {
    const auto* value = std::get_if<bool>(&value_);
    return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::int64_t> Json::as_i64() const {
    const auto* value = std::get_if<std::int64_t>(&value_);
    return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::uint64_t> Json::as_u64() const {
    if (const auto* value = std::get_if<std::uint64_t>(&value_)) return *value;
    const auto* value = std::get_if<std::int64_t>(&value_);
    return value && *value >= 0 ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

std::optional<double> Json::as_double() const {
    if (const auto* value = std::get_if<double>(&value_)) return *value;
    if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
    const auto* value = std::get_if<std::int64_t>(&value_);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

const Json* Json::find(std::string_view name) const {
    const Object* members = as_object();
    if (members == nullptr) return nullptr;
    const auto there = std::ranges::find(*members, name, &JsonMember::name);
    return there == members->end() ? nullptr : &there->value;
}

Result<bool> Json::bool_at(std::string_view name) const {
    const Json* value = find(name);
    return need(value ? value->as_bool() : std::nullopt, name, "true or false");
}

Result<std::int64_t> Json::i64_at(std::string_view name) const {
    const Json* value = find(name);
    return need(value ? value->as_i64() : std::nullopt, name, "an integer");
}

Result<std::uint64_t> Json::u64_at(std::string_view name) const {
    const Json* value = find(name);
    return need(value ? value->as_u64() : std::nullopt, name, "an integer that is not negative");
}

Result<double> Json::double_at(std::string_view name) const {
    const Json* value = find(name);
    return need(value ? value->as_double() : std::nullopt, name, "a number");
}

Result<std::string> Json::text_at(std::string_view name) const {
    const Json* value = find(name);
    if (value && value->as_text()) return *value->as_text();
    return fail(Errc::invalid, missing(name, "a text"));
}

Result<const Json::Array*> Json::array_at(std::string_view name) const {
    const Json* value = find(name);
    if (value && value->as_array()) return value->as_array();
    return fail(Errc::invalid, missing(name, "a list"));
}

Result<const Json::Object*> Json::object_at(std::string_view name) const {
    const Json* value = find(name);
    if (value && value->as_object()) return value->as_object();
    return fail(Errc::invalid, missing(name, "an object"));
}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

bool JsonMember::operator==(const JsonMember& other) const {
    return name == other.name && value == other.value;
}

}  // namespace tributary
