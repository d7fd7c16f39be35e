// Durations and sizes as a person writes them.
#include <charconv>
#include <iterator>
#include <limits>
#include <span>

#include "common/text/toml.h"

namespace tributary {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// From the smallest: printing takes the last that divides.
constexpr Unit kDurationUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizeUnits[] = {
    {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}};
constexpr Unit kDecimalSizeUnits[] = {
    {"kB", 1000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}};

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units) {
    std::uint64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view name(rest, static_cast<std::size_t>(end - rest));
    for (const Unit& unit : units) {
        if (unit.name != name) continue;
        if (count > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
        return count * unit.factor;
    }
    return std::nullopt;
}

std::string print(std::uint64_t value, std::span<const Unit> units) {
    const Unit* best = &units.front();
    for (const Unit& unit : units)
        if (value != 0 && value % unit.factor == 0) best = &unit;
    return std::to_string(value / best->factor).append(best->name);
}

}  // namespace

std::optional<std::uint64_t> parse_duration_ms(std::string_view text) {
    return parse(text, kDurationUnits);
}

std::optional<std::uint64_t> parse_size_bytes(std::string_view text) {
    const auto binary = parse(text, kSizeUnits);
    return binary ? binary : parse(text, kDecimalSizeUnits);
}

std::optional<SizeOrPercent> parse_size_or_percent(std::string_view text) {
    if (!text.ends_with('%')) {
        const auto bytes = parse_size_bytes(text);
        return bytes ? std::optional(SizeOrPercent{*bytes, 0}) : std::nullopt;
    }
    text.remove_suffix(1);
    std::uint32_t percent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
    if (error != std::errc() || end != text.data() + text.size() || percent == 0 || percent > 100)
        return std::nullopt;
    return SizeOrPercent{0, percent};
}

std::string duration_text(std::uint64_t ms) { return print(ms, kDurationUnits); }
std::string size_text(std::uint64_t bytes) { return print(bytes, kSizeUnits); }
std::string size_text(const SizeOrPercent& size) {
    return size.percent == 0 ? size_text(size.bytes) : std::to_string(size.percent) + "%";
}

}  // namespace tributary
