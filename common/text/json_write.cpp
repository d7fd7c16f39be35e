#include <array>
#include <charconv>
#include <cmath>

#include "common/text/json.h"

namespace tributary {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 when there is none (RFC 3629:
// shortest forms only, no surrogates, at most U+10FFFF).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    unsigned char low = 0x80, high = 0xBF;  // of the second byte
    if (first >= 0xC2 && first <= 0xDF) length = 2;
    if (first >= 0xE0 && first <= 0xEF) length = 3;
    if (first >= 0xF0 && first <= 0xF4) length = 4;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    return length;
}

void append_control(std::string& out, char c) {
    static constexpr char kDigits[] = "0123456789abcdef";
    out += "\\u00";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8_length(text);
        if (length == 0)
            out += "\xEF\xBF\xBD";
        else if (length > 1)
            out += text.substr(0, length);
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (c == '\r')
            out += "\\r";
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            append_control(out, c);
        else
            out += c;
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

// The shortest form that reads back as the same double, and never as an integer.
void append_double(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    TRIBUTARY_CHECK(error == std::errc{});
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out += text;
    if (text.find_first_of(".e") == text.npos) out += ".0";
}

}  // namespace

class JsonWriter {
public:
    explicit JsonWriter(bool pretty) : pretty_(pretty) {}

    void write(const Json& json) {
        std::visit([this](const auto& value) { put(value); }, json.value_);
    }
    std::string take() { return std::move(out_); }

private:
    void put(std::monostate) { out_ += "null"; }
    void put(bool value) { out_ += value ? "true" : "false"; }
    void put(std::int64_t value) { out_ += std::to_string(value); }
    void put(std::uint64_t value) { out_ += std::to_string(value); }
    void put(double value) { append_double(out_, value); }
    void put(const std::string& value) { append_quoted(out_, value); }
    void put(const Json::Array& items) {
        put_list('[', ']', items, [this](const Json& item) { write(item); });
    }
    void put(const Json::Object& members) {
        put_list('{', '}', members, [this](const JsonMember& member) {
            append_quoted(out_, member.name);
            out_ += pretty_ ? ": " : ":";
            write(member.value);
        });
    }

    template <class List, class PutOne>
    void put_list(char open, char close, const List& list, PutOne put_one) {
        out_ += open;
        ++depth_;
        bool first = true;
        for (const auto& one : list) {
            if (!std::exchange(first, false)) out_ += ',';
            new_line();
            put_one(one);
        }
        --depth_;
        if (!list.empty()) new_line();
        out_ += close;
    }
    void new_line() {
        if (pretty_) (out_ += '\n').append(2 * depth_, ' ');
    }

    std::string out_;
    std::size_t depth_ = 0;
    bool pretty_;
};

std::string Json::text() const {
    JsonWriter writer(false);
    writer.write(*this);
    return writer.take();
}

std::string Json::pretty() const {
    JsonWriter writer(true);
    writer.write(*this);
    return writer.take();
}

std::string json_quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

}  // namespace tributary
