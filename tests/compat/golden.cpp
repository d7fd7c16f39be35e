#include "tests/compat/golden.h"

#include <fstream>
#include <sstream>

#include "tests/support/places.h"

namespace tributary::golden {
namespace {

Json read(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    Result<Json> json = parse_json(text.str());
    TRIBUTARY_CHECK(json);
    return *std::move(json);
}

const Json& file() {
    static const Json parsed = read(test::in_source("schemas/golden/vectors.json"));
    return parsed;
}

}  // namespace

std::vector<Json> vectors(std::string_view form) {
    std::vector<Json> found;
    for (const Json& vector : *file().find("vectors")->as_array())
        if (text_at(vector, "form") == form) found.push_back(vector);
    TRIBUTARY_CHECK(!found.empty());
    return found;
}

Bytes flat(std::string_view name) {
    for (const Json& row : *file().find("flatbuffers")->as_array())
        if (text_at(row, "name") == name) return bytes_at(row, "bytes");
    return {};
}

std::vector<Json> pieces() {
    const Json parsed = read(test::in_source("schemas/golden/pieces.json"));
    const std::vector<Json>& rows = *parsed.find("pieces")->as_array();
    TRIBUTARY_CHECK(!rows.empty());
    return rows;
}

std::string text_at(const Json& from, std::string_view member) {
    Result<std::string> text = from.text_at(member);
    TRIBUTARY_CHECK(text);
    return *std::move(text);
}
std::uint64_t u64_at(const Json& from, std::string_view member) {
    const Result<std::uint64_t> value = from.u64_at(member);
    TRIBUTARY_CHECK(value);
    return *value;
}
Bytes bytes_at(const Json& from, std::string_view member) {
    return bytes_of_hex(text_at(from, member));
}
Digest digest_at(const Json& from, std::string_view member) {
    return digest_of_hex(text_at(from, member));
}
Bytes bytes_of_hex(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    TRIBUTARY_CHECK(from_hex(hex, bytes));
    return bytes;
}
Digest digest_of_hex(std::string_view hex) {
    Digest digest;
    TRIBUTARY_CHECK(hex.empty() || from_hex(hex, digest.bytes));
    return digest;
}

}  // namespace tributary::golden
