#include "common/lineage/reference.h"

#include <algorithm>
#include <optional>

namespace tributary::lineage {
namespace {

constexpr std::string_view kDefaultBranch = "main";
constexpr std::string_view kSuffixBegins = "~^@";

tl::unexpected<Error> wrong(std::string_view text, std::string_view why) {
    return fail(Errc::invalid,
                "cannot read `" + std::string(text) + "` as a version: " + std::string(why));
}

// ---- URIs ----

// nullopt: an escape that is none, or of NUL.
std::optional<std::string> unescape(std::string_view segment) {
    std::string plain;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        if (segment[i] != '%') {
            plain += segment[i];
            continue;
        }
        std::string digits(segment.substr(i + 1, 2));
        for (char& c : digits)
            if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
        std::uint8_t byte = 0;
        if (digits.size() != 2 || !from_hex(digits, {&byte, 1}) || byte == 0) return std::nullopt;
        plain += static_cast<char>(byte);
        i += 2;
    }
    return plain;
}

bool is_component(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

Result<Reference> parse_uri(std::string_view text) {
    std::string_view rest = text.substr(kUriScheme.size());
    if (rest.find_first_of("?#") != rest.npos)
        return wrong(text, "it has no ? and no #; in a path they are written %3F and %23");
    std::vector<std::string> segments;
    for (bool more = true; more;) {
        const std::size_t end = std::min(rest.find('/'), rest.size());
        auto plain = unescape(rest.substr(0, end));
        if (!plain) return wrong(text, "after % come two hexadecimal digits, and not %00");
        segments.push_back(*std::move(plain));
        more = end < rest.size();
        rest.remove_prefix(more ? end + 1 : end);
    }
    if (segments.size() < 2) return wrong(text, "write tributary://GROUP/NAME/REF");

    Reference out;
    out.repo = segments[0] + "/" + segments[1];
    if (const auto status = check_repo_name(out.repo); !status)
        return wrong(text, status.error().what);
    if (segments.size() == 2) return out;
    out.ref = segments[2];
    if (out.ref.empty()) return wrong(text, "after tributary://GROUP/NAME/ comes a ref");
    for (std::size_t i = 3; i < segments.size(); ++i) {
        if (!is_component(segments[i]))
            return wrong(text, "each part of the path is a name, not empty, . or .., without %2F");
        out.path += (i > 3 ? "/" : "") + segments[i];
    }
    return out;
}

// ---- the default branch ----

bool is_branch(std::string_view ref) {
    return !ref.starts_with("@") && !ref.starts_with("tags/") && !ref.starts_with("device/");
}

Result<std::string> default_branch(const RefSource& source) {
    TRIBUTARY_ASSIGN(const auto main, source.lookup(std::string(kDefaultBranch), std::nullopt));
    if (main) return std::string(kDefaultBranch);
    TRIBUTARY_ASSIGN(const std::vector<std::string> names, source.names());
    if (names.empty()) return fail(Errc::not_found, "there is no repository " + source.repo);
    const auto first = std::find_if(names.begin(), names.end(), is_branch);
    const auto branches = std::count_if(names.begin(), names.end(), is_branch);
    if (branches == 1) return *first;
    return fail(branches == 0 ? Errc::not_found : Errc::conflict,
                source.repo +
                    " has no branch main; write one of these:" + written_refs(source.repo, names));
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
    if (text.starts_with(kUriScheme)) return parse_uri(text);
    const Reference bare{{}, std::string(text), {}};
    const std::size_t group_end = text.find('/');
    if (group_end == text.npos) return bare;
    const std::size_t name_end = std::min(text.find('/', group_end + 1), text.size());
    const std::string_view named = text.substr(0, name_end);
    const std::size_t suffix = std::min(named.find_first_of(kSuffixBegins), named.size());

    Reference out;
    out.repo = named.substr(0, suffix);
    if (!check_repo_name(out.repo)) return bare;
    if (suffix == named.size()) {
        out.ref = name_end < text.size() ? text.substr(name_end + 1) : std::string_view();
        if (name_end < text.size() && out.ref.empty())
            return wrong(text, "after " + out.repo + "/ comes a ref");
        return out;
    }
    out.ref = text.substr(suffix);
    if (out.ref.front() == '@' && !out.ref.starts_with("@{")) {
        const std::string name = out.ref.substr(1);
        return wrong(text, "for a branch write " + out.repo + "/" + name + ", for an alias " +
                               out.repo + "/@" + name);
    }
    return out;
}

Result<VersionId> resolve_reference(const Reference& reference, const RefSource& source) {
    if (!reference.path.empty())
        return fail(Errc::invalid, "a version is meant here, so no path (" + reference.path +
                                       ") may follow the ref " + reference.ref +
                                       "; slashes inside a ref are written %2F in a URI");
    const std::string& ref = reference.ref;
    const bool only_suffixes =
        ref.empty() || ref.front() == '~' || ref.front() == '^' || ref.starts_with("@{");
    if (reference.repo.empty() || !only_suffixes) return resolve_ref(ref, source);
    TRIBUTARY_ASSIGN(const std::string branch, default_branch(source));
    const auto read = parse_ref("heads/" + branch + ref);
    // In the words of the person, who wrote no branch.
    if (!read) {
        const auto alone = parse_ref(branch + ref);
        return tl::make_unexpected(alone ? read.error() : alone.error());
    }
    return resolve_ref(*read, source);
}

}  // namespace tributary::lineage
