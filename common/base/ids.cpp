#include "common/base/ids.h"

#include <algorithm>

namespace tributary {
namespace {

constexpr std::string_view kSha256Prefix = "sha256:";

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_repo_segment(std::string_view segment) {
    return !segment.empty() && segment.size() <= 64 && is_lower_or_digit(segment.front()) &&
           std::ranges::all_of(segment, [](char c) {
               return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-';
           });
}

}  // namespace

std::string Digest::text() const { return std::string(kSha256Prefix) + to_hex(bytes); }

Result<Digest> Digest::parse(std::string_view text) {
    Digest digest;
    if (!text.starts_with(kSha256Prefix) ||
        !from_hex(text.substr(kSha256Prefix.size()), digest.bytes))
        return fail(Errc::invalid,
                    "'" + std::string(text) +
                        "' is not an id; an id is 'sha256:' and 64 hexadecimal digits");
    return digest;
}

void Digest::put(ByteWriter& out) const {
    out.put(static_cast<std::uint8_t>(is_none() ? HashAlgorithm::none : HashAlgorithm::sha256));
    out.put(ByteView(bytes));
}

std::optional<Digest> Digest::take(ByteReader& in) {
    const auto algorithm = static_cast<HashAlgorithm>(in.take<std::uint8_t>());
    const ByteView raw = in.take(kDigestBytes);
    Digest digest;
    if (in.ok()) std::ranges::copy(raw, digest.bytes.begin());
    const bool known =
        algorithm == (digest.is_none() ? HashAlgorithm::none : HashAlgorithm::sha256);
    return known ? std::optional(digest) : std::nullopt;
}

Result<Incarnation> Incarnation::parse(std::string_view text) {
    Incarnation incarnation;
    if (!from_hex(text, incarnation.bytes))
        return fail(Errc::invalid, "'" + std::string(text) +
                                       "' is not an incarnation; it is 32 hexadecimal digits");
    return incarnation;
}

Status check_device_id(std::string_view id) {
    if (!id.empty() && id.size() <= 64 &&
        std::ranges::all_of(id, [](char c) { return is_lower_or_digit(c) || c == '-'; }))
        return {};
    return fail(Errc::invalid,
                "'" + std::string(id) + "' is not a device id; use 1 to 64 of a-z, 0-9 and '-'");
}

Status check_repo_name(std::string_view name) {
    const auto slash = name.find('/');
    if (slash != name.npos && is_repo_segment(name.substr(0, slash)) &&
        is_repo_segment(name.substr(slash + 1)))
        return {};
    return fail(
        Errc::invalid,
        "'" + std::string(name) +
            "' is not a repository name; write GROUP/NAME, each of a-z, 0-9, '.', '_' and '-', "
            "starting with a letter or digit, at most 64 characters");
}

Status check_branch_name(std::string_view name) {
    const auto allowed = [](char c) {
        return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-' ||
               c == '/';
    };
    const bool good = !name.empty() && name.size() <= 200 && std::ranges::all_of(name, allowed) &&
                      name.front() != '.' && name.front() != '-' && name.front() != '/' &&
                      name.back() != '/' && name.back() != '.' && name.find("//") == name.npos &&
                      name.find("..") == name.npos && !name.ends_with(".lock");
    if (good) return {};
    return fail(
        Errc::invalid,
        "'" + std::string(name) +
            "' is not a branch name; use letters, digits, '.', '_', '-' and '/', starting with a "
            "letter, digit or '_', without '..' or '//'");
}

}  // namespace tributary
