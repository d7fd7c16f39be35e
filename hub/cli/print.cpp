#include "hub/cli/print.h"

#include <algorithm>
#include <array>

namespace tributary::cli {
namespace {

constexpr std::string_view kIdPrefix = "sha256:";
constexpr std::size_t kShortDigits = 12;
constexpr std::size_t kPathsShown = 5;
constexpr std::size_t kColumnMax = 48;  // a cell that is wider pushes the rest of its row on

// Characters, not bytes: names may be UTF-8.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

const Json::Array& items(const Json& object, std::string_view name) {
    static const Json::Array kNone;
    const Json* member = object.find(name);
    const Json::Array* array = member ? member->as_array() : nullptr;
    return array ? *array : kNone;
}

std::string short_id(const Json* id) {
    const std::string* text = id ? id->as_text() : nullptr;
    if (!text) return "-";
    const std::string_view digits = text->starts_with(kIdPrefix)
                                        ? std::string_view(*text).substr(kIdPrefix.size())
                                        : std::string_view(*text);
    return std::string(digits.substr(0, kShortDigits));
}

std::string text_of(const Json& object, std::string_view name, Lines lines) {
    const Json* member = object.find(name);
    if (!member || member->is_null()) return "-";
    if (const std::string* text = member->as_text())
        return text->empty() ? "-" : harmless(*text, lines);
    return member->text();
}

std::string conflicts_text(const Json& version) {
    const std::uint64_t count = version.u64_at("conflicts").value_or(0);
    if (count == 0) return {};
    std::string text = std::to_string(count) +
                       (count == 1 ? " path in conflict between " : " paths in conflict between ");
    const Json::Array& sides = items(version, "conflict_between");
    for (std::size_t i = 0; i < sides.size(); ++i)
        if (const std::string* side = sides[i].as_text())
            text += (i == 0 ? "" : i + 1 == sides.size() ? " and " : ", ") + harmless(*side);
    return text;
}

Status no_conflicts(const Json& version, const std::string& repo) {
    const std::string text = conflicts_text(version);
    if (text.empty()) return {};
    std::string paths;
    const Json::Array& open = items(version, "open_conflicts");
    for (std::size_t i = 0; i < std::min(open.size(), kPathsShown); ++i)
        paths += (i == 0 ? ": " : ", ") + text_of(open[i], "path");
    if (open.size() > kPathsShown) paths += ", ...";
    return fail(Errc::conflict, text + paths +
                                    "; they are left out, or as all had them before. `tributary "
                                    "show " +
                                    repo + "` names the sides, `tributary settle " + repo +
                                    " REF` takes one");
}

std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const std::string& title : header) widths.push_back(width(title));
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
            if (width(row[i]) <= kColumnMax) widths[i] = std::max(widths[i], width(row[i]));
    std::string out;
    const auto add = [&](const std::vector<std::string>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size())
                line.append(std::max(widths[i], width(row[i])) - width(row[i]) + 2, ' ');
        }
        while (line.ends_with(' ')) line.pop_back();
        out += line + "\n";
    };
    add(header);
    for (const auto& row : rows) add(row);
    return out;
}

std::string fitting(const std::string& text, const TerminalSize& terminal) {
    std::vector<std::string_view> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(std::string_view(text).substr(at, end - at));
        at = end + 1;
    }
    const auto rows_of = [&](std::string_view line) {
        return std::max<std::size_t>(1, (width(line) + terminal.columns - 1) / terminal.columns);
    };
    // The cursor waits in the line below; a line that says what is left out takes the place of one.
    std::size_t shown = 0, rows = 1;
    while (shown < lines.size() && rows + rows_of(lines[shown]) <= terminal.rows)
        rows += rows_of(lines[shown++]);
    if (shown == lines.size()) return text;
    while (shown > 0 && rows + 1 > terminal.rows) rows -= rows_of(lines[--shown]);
    std::string out;
    for (std::size_t i = 0; i < shown; ++i) out += std::string(lines[i]) + "\n";
    return out + "... and " + counted(lines.size() - shown, "more line") + "\n";
}

}  // namespace tributary::cli
