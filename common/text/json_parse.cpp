// The one file that sees Boost.JSON: its event parser feeds our values, so that a document never
// exists twice in memory and what a tree would hide (a name that stands twice) is seen.
#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>  // the library itself, of which the linker keeps what is used
#include <exception>

#include "common/text/json.h"

namespace tributary {
namespace {

using boost::json::error_code;
using boost::json::string_view;

// By sorting: a peer's object of many names must not cost a quadratic search.
std::optional<std::string_view> name_that_stands_twice(const Json::Object& members) {
    std::vector<std::string_view> names;
    for (const JsonMember& member : members) names.push_back(member.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    return twice == names.end() ? std::nullopt : std::optional(*twice);
}

// Called by the parser in document order; false stops it, with `refusal` saying why.
struct Builder {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    // A list or object that is not closed yet.
    struct Open {
        bool is_object = false;
        Json::Array items;
        Json::Object members;  // the last one's value is still to come between key and value
    };
    std::vector<Open> open;  // around the present place, outermost first
    std::string part;        // of a key, string or number that comes in pieces
    Json result;
    std::string refusal;

    bool refuse(std::string reason, error_code& ec) {
        refusal = std::move(reason);
        ec = boost::json::error::syntax;
        return false;
    }
    bool add(Json value) {
        if (open.empty())
            result = std::move(value);
        else if (open.back().is_object)
            open.back().members.back().value = std::move(value);
        else
            open.back().items.push_back(std::move(value));
        return true;
    }
    std::string take_part(string_view last) {
        part.append(last.data(), last.size());
        return std::exchange(part, {});
    }
    bool append_part(string_view text) {
        part.append(text.data(), text.size());
        return true;
    }
    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        open.push_back({true, {}, {}});
        return true;
    }
    bool on_object_end(std::size_t, error_code& ec) {
        Json::Object members = std::move(open.back().members);
        open.pop_back();
        if (const auto twice = name_that_stands_twice(members))
            return refuse("the name " + json_quoted(*twice) + " stands twice in one object", ec);
        return add(Json(std::move(members)));
    }
    bool on_array_begin(error_code&) {
        open.push_back({false, {}, {}});
        return true;
    }
    bool on_array_end(std::size_t, error_code&) {
        Json::Array items = std::move(open.back().items);
        open.pop_back();
        return add(Json(std::move(items)));
    }
    bool on_key_part(string_view text, std::size_t, error_code&) { return append_part(text); }
    bool on_key(string_view text, std::size_t, error_code&) {
        open.back().members.push_back({take_part(text), Json()});
        return true;
    }
    bool on_string_part(string_view text, std::size_t, error_code&) { return append_part(text); }
    bool on_string(string_view text, std::size_t, error_code&) { return add(take_part(text)); }
    bool on_number_part(string_view text, error_code&) { return append_part(text); }
    bool on_int64(std::int64_t value, string_view, error_code&) {
        part.clear();
        return add(value);
    }
    bool on_uint64(std::uint64_t value, string_view, error_code&) {
        part.clear();
        return add(value);
    }
    bool on_double(double value, string_view text, error_code& ec) {
        const std::string number = take_part(text);
        if (number.find_first_of(".eE") == number.npos)
            return refuse("the integer " + number + " does not fit 64 bits", ec);
        return add(value);
    }
    bool on_bool(bool value, error_code&) { return add(value); }
    bool on_null(error_code&) { return add(Json()); }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }
};

std::string place(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto last = before.rfind('\n');
    const auto column = offset - (last == before.npos ? 0 : last + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes_max)
        return fail(Errc::invalid, "this JSON has " + std::to_string(text.size()) +
                                       " bytes; at most " + std::to_string(limits.bytes_max) +
                                       " are read");
    boost::json::parse_options options;
    options.max_depth = limits.depth_max;
    boost::json::basic_parser<Builder> parser(options);
    error_code ec;
    std::size_t used = 0;
    try {
        used = parser.write_some(false, text.data(), text.size(), ec);
    } catch (const std::exception& error) {
        return fail(Errc::exhausted, std::string("JSON could not be read: ") + error.what());
    }
    if (!ec && used < text.size()) ec = boost::json::error::extra_data;
    if (!ec) return std::move(parser.handler().result);
    const std::string& refusal = parser.handler().refusal;
    return fail(Errc::invalid, "not valid JSON at " + place(text, used) + ": " +
                                   (refusal.empty() ? ec.message() : refusal));
}

}  // namespace tributary
