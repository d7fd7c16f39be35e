#include "common/codec/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/codec/codec.h"
#include "common/codec/rows.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

using namespace std::string_literals;

constexpr Level kLevels[] = {Level::fast, Level::standard, Level::max};

// Whether the lines could be coded; checks that they then come back.
bool comes_back(ColumnCoder& coder, std::string_view plain, std::string_view base) {
    FrameWriter writer;
    FrameReader reader;
    Bytes payload(plain.size() + 64);
    const std::size_t size =
        coder.write(as_bytes(plain), as_bytes(base), Effort::quick, writer, payload);
    if (size == 0) return false;
    payload.resize(size);
    Bytes out(plain.size(), 0xa5);
    const Status decoded = coder.read(payload, as_bytes(base), reader, out);
    EXPECT_TRUE(decoded) << decoded.error().what;
    EXPECT_EQ(as_text(out), plain);
    return true;
}

struct Coded {
    Encoding encoding{};
    std::size_t bytes = 0;
};
Coded code(std::string_view plain, std::string_view base, Level level = Level::standard) {
    Coder coder;
    const Encoded encoded = coder.encode({as_bytes(plain)}, as_bytes(base), level);
    const Coded coded{encoded.encoding, encoded.payload.size()};
    const Bytes payload(encoded.payload.begin(), encoded.payload.end());
    Bytes out(plain.size());
    const Status decoded = coder.decode(static_cast<std::uint8_t>(encoded.encoding), payload,
                                        encoded.uses_base ? as_bytes(base) : ByteView{}, out);
    EXPECT_TRUE(decoded) << decoded.error().what;
    EXPECT_EQ(as_text(out), plain);
    return coded;
}

// A payload of this body, in a frame of one raw block.
Bytes with_frame(std::string_view body) {
    const auto size = static_cast<std::uint16_t>(body.size());
    Bytes payload = {0, 0, 0, 0x00, 0x50, 0, 0, 0};
    store_le(payload.data(), size);
    store_le(payload.data() + 5, static_cast<std::uint16_t>(size << 3 | 1));
    payload.insert(payload.end(), body.begin(), body.end());
    return payload;
}

std::string decimal(std::int64_t hundredths) {
    std::string digits = std::to_string(hundredths % 100);
    if (digits.size() < 2) digits.insert(0, "0");
    return std::to_string(hundredths / 100) + "." + digits;
}

// Rows `first` .. `last` - 1 of a board's counters.
std::string csv_rows(int first, int last) {
    std::string text;
    Random random(17);
    std::int64_t sum = 100000;
    for (int i = 0; i < last; ++i) {
        sum += static_cast<std::int64_t>(random.below(300u));
        const std::string row = std::to_string(1795186960000 + 50 * i) + "," + std::to_string(sum) +
                                "," + decimal(sum / 7) + "," + std::to_string(random.below(9u)) +
                                "\n";
        if (i >= first) text += row;
    }
    return text;
}

std::string json_rows(int first, int last) {
    std::string text;
    Random random(18);
    for (int i = 0; i < last; ++i) {
        const std::string second = std::to_string(10 + i % 50);
        const std::string row = R"({"ts": "2026-11-20T15:02:)" + second +
                                R"(.5Z", "gps": {"at": [)" + decimal(5212345 + i) + ", -" +
                                decimal(1 + static_cast<std::int64_t>(random.below(900u))) +
                                R"(], "fix": )" + (random.below(5u) == 0 ? "null" : "true") +
                                R"(}, "seq": )" + std::to_string(i) + "}\n";
        if (i >= first) text += row;
    }
    return text;
}

TEST(Columns, CodesAppendedRowsInLessThanHalfOfWhatAFrameTakes) {
    for (const auto rows : {csv_rows, json_rows}) {
        const std::string base = rows(0, 2000);
        const std::string plain = rows(0, 3000);
        FrameWriter writer;
        Bytes frame(plain.size());
        const std::size_t frame_bytes =
            writer.write(Effort::thorough, as_bytes(plain), as_bytes(base), frame);
        for (const Level level : kLevels) {
            const Coded coded = code(plain, base, level);
            EXPECT_EQ(coded.encoding, Encoding::columns);
            EXPECT_LT(coded.bytes, frame_bytes / 2);
        }
        EXPECT_EQ(code(plain, {}).encoding, Encoding::columns);
    }
}

TEST(Columns, PayAlmostNothingForRowsThatTheBaseHas) {
    const std::string base = csv_rows(0, 3000);
    EXPECT_LT(code(base + csv_rows(3000, 3001), base).bytes, 60u);
    // Old rows dropped, below a header that stays.
    const std::string header = "time,count,load,state\n";
    EXPECT_LT(code(header + csv_rows(500, 3001), header + base).bytes, 60u);
    // A row lost in the middle, another one changed.
    EXPECT_LT(
        code(csv_rows(0, 900) + csv_rows(901, 2000) + "1,2,3.00,4\n" + csv_rows(2001, 3000), base)
            .bytes,
        80u);
}

TEST(Columns, AreNotTriedForOtherText) {
    ColumnCoder coder;
    Random random(19);
    std::string words;
    while (words.size() < 40000)
        words += std::string(1 + random.below(9u), static_cast<char>('a' + random.below(26u))) +
                 (random.below(9u) == 0 ? "\n" : " ");
    EXPECT_FALSE(coder.suits(as_bytes(words)));
    EXPECT_FALSE(coder.suits(noise(random, 40000)));
    EXPECT_FALSE(coder.suits(as_bytes("1,2,3")));
    EXPECT_TRUE(coder.suits(as_bytes(csv_rows(0, 5000))));
    EXPECT_TRUE(coder.suits(as_bytes(json_rows(0, 5000))));
}

TEST(Columns, ReadAsTheFormatDescribesThem) {
    const std::string body =
        "\x02\x00\x13\x00\x03\x00"s   // two stretches: 19 bytes of the base from 0, then three rows
        "\x04u,\x00\n"s               // the text of a new template
        "\x00\x01\x00"s               // the rows' templates
        "\x97\x01"s                   // 200 + 75, with two decimals, at least one
        "\x00\x02\x00\x01\xb6\x07"s   // at least none: 275 - 475
        "\x00\x02\x00\x02\xd3\x06"s;  // at least two digits: 275 + 425
    const Bytes payload = with_frame(body);
    Coder coder;
    const std::string_view plain = "t,1.25\nt,1.5\nt,2.0\nt,2.75\nu,07\nt,-2\n";
    Bytes out(plain.size());
    const Status decoded = coder.decode(static_cast<std::uint8_t>(Encoding::columns), payload,
                                        as_bytes("t,1.25\nt,1.5\nt,2.0\n"), out);
    ASSERT_TRUE(decoded) << decoded.error().what;
    EXPECT_EQ(as_text(out), plain);
}

TEST(Columns, RefuseBodiesThatLie) {
    const std::string_view base = "a,1\na,2\n";
    struct Lie {
        std::string body;
        const char* what;
    };
    const std::string row = "\x01\x01\x00"s;  // one stretch of one row
    const std::vector<Lie> lies = {
        {""s, "nothing"},
        {"\x00"s, "no texts"},
        {"\x02\x01\x00"s, "a stretch missing"},
        {"\xff\xff\xff\xff\x7f\x01\x00"s, "more stretches than there may be"},
        {"\x01\xff\xff\x03\x00\x00"s, "more rows than bytes"},
        {"\x01\x00\x09\x00\x00"s, "a copy past the base"},
        {"\x01\x00\x01\x01\x00"s, "a copy from before the base"},
        {"\x01\x00\x08\x00\x00\x00"s, "a byte left over"},
        {row + "\x00\x02\x02"s, "a template that there is not"},
        {row + "\x00\x01"s, "a new template without text"},
        {row + "\x02x\n\x00\x02"s, "a text that no row has"},
        {row + "\x00\x00"s, "no cell"},
        {row + "\x00\x00\x00"s, "no shape"},
        {row + "\x00\x00\x00\x13\x00\x01\x01"s, "19 decimals"},
        {row + "\x00\x00\x00\x01\x02\x01\x01"s, "fewer decimals than must be"},
        {row + "\x00\x00\x00\x00\x00\x00\x01"s, "no digits"},
        {row + "\x00\x00\x00\x00\x00\x01\x00"s, "a shape after a shape"},
        {row + "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"s, "a number past 10^18"},
        {row + "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s, "more than 64 bits"},
        {row + "\x00\x00\x05"s, "another length"},
    };
    Coder coder;
    for (const Lie& lie : lies) {
        const Bytes payload = with_frame(lie.body);
        Bytes out(30);
        const Status decoded = coder.decode(static_cast<std::uint8_t>(Encoding::columns), payload,
                                            as_bytes(base), out);
        ASSERT_FALSE(decoded) << lie.what;
        EXPECT_EQ(decoded.error().code, Errc::corrupt) << lie.what;
    }
}

TEST(Columns, AnswerDamagedPayloadsWithoutHarm) {
    const std::string base = json_rows(0, 200);
    const std::string plain = json_rows(20, 260);
    FrameWriter writer;
    FrameReader reader;
    ColumnCoder coder;
    Bytes whole(plain.size());
    // Little is left to chance in a frame of literals: most flips get through to the body.
    whole.resize(coder.write(as_bytes(plain), as_bytes(base), Effort::entropy, writer, whole));
    ASSERT_FALSE(whole.empty());
    Bytes out(plain.size());
    for (std::size_t length = 0; length < whole.size(); length += 1 + length / 8)
        EXPECT_FALSE(coder.read(ByteView(whole).first(length), as_bytes(base), reader, out));
    Random random(20);
    for (int round = 0; round < 3000; ++round) {
        Bytes flipped = whole;
        flipped[random.below(flipped.size())] ^= static_cast<std::uint8_t>(1 << random.below(8u));
        const Status decoded = coder.read(flipped, as_bytes(base), reader, out);
        EXPECT_TRUE(decoded || decoded.error().code == Errc::corrupt);
    }
}

TEST(Columns, StopAtTheirLimits) {
    ColumnCoder coder;
    std::string many_templates;
    for (int i = 0; i < 5000; ++i)
        many_templates += std::string(1 + static_cast<std::size_t>(i) / 26, 'x') +
                          static_cast<char>('a' + i % 26) + ",1\n";
    EXPECT_FALSE(comes_back(coder, many_templates, {}));
    std::string wide;
    for (int i = 0; i < 70000; ++i) wide += "1,";
    EXPECT_FALSE(comes_back(coder, wide + "\n", {}));
    std::string many_numbers;
    for (int i = 0; i < 30000; ++i) many_numbers += "1,2,3,4,5,6,7,8,9,0\n";
    EXPECT_FALSE(comes_back(coder, many_numbers, {}));
    std::string many_rows;
    for (int i = 0; i < 140000; ++i) many_rows += "1\n";
    EXPECT_FALSE(comes_back(coder, many_rows, {}));
    std::string many_shapes;
    for (int i = 0; i < 40000; ++i) many_shapes += i % 2 == 0 ? "00\n" : "000\n";
    EXPECT_FALSE(comes_back(coder, many_shapes, {}));
}

// Lines as writers of all kinds make them, and some as nobody should.
class Nasty {
public:
    explicit Nasty(std::uint64_t seed) : random_(seed), columns_(1 + random_.below(8u)) {}

    std::string rows(std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) text += random_.below(20u) == 0 ? odd_row() : row();
        return text;
    }

private:
    std::string row() {
        std::string text;
        for (std::size_t i = 0; i < columns_; ++i) {
            if (i != 0) text += ',';
            values_[i] += static_cast<std::int64_t>(random_.below(2001u)) - 1000;
            text += number(i, values_[i]);
        }
        return text + (random_.below(40u) == 0 ? "\r\n" : "\n");
    }

    std::string number(std::size_t column, std::int64_t value) {
        switch (random_.below(60u) == 0 ? random_.below(27u) : column % 5) {
            case 0: return std::to_string(value);
            case 1: return (value < 0 ? "-" : "") + decimal(std::abs(value));
            case 2: {  // like Python: at least one decimal, no more zeros than that
                std::string text = (value < 0 ? "-" : "") + decimal(std::abs(value));
                if (text.back() == '0') text.pop_back();
                return text;
            }
            case 3:
                return "00:" + std::string(value % 7 < 3 ? "0" : "") +
                       std::to_string(std::abs(value % 60));
            case 4: return random_.below(9u) == 0 ? "warn" : "ok";
            case 5: return "0" + std::to_string(std::abs(value));
            case 6: return "+" + std::to_string(std::abs(value));
            case 7: return std::to_string(value) + "e-05";
            case 8: return "-0";
            case 9: return "-0.00";
            case 10: return "123456789012345678";
            case 11: return "-999999999999999999";
            case 12: return "1234567890123456789012";
            case 13: return "0.000000000000000001";
            case 14: return "\"a \"\"b\"\",\n12\"";
            case 15: return "";
            case 16: return "3fa85f64-5717-4562-b3fc-2c963f66afa6";
            case 17: return "192.168.0." + std::to_string(random_.below(255u));
            case 18: return ".5";
            case 19: return "NaN";
            case 20: return "-inf";
            case 21: return "6.02214076E+23";
            case 22: return "1e400";
            case 23: return "0x1F";
            case 24: return "1_000_000";
            case 25: return "\xc2\xbd\xe2\x82\xac" + std::to_string(value);
            default: return "5.";
        }
    }

    std::string odd_row() {
        switch (random_.below(8u)) {
            case 0: return "\n";
            case 1: return "time,cpu0,cpu1\n";
            case 2: return "1,2\n";
            case 3: return std::string(random_.below(300u), '7') + "\n";
            case 4: return "--1,-,-2--3\n";
            case 5:
                return "\xc3\xa9"
                       "5,\xff\x01\n";
            case 6: return "{\"a\": [1, 2, {\"b\": -3.50}], \"T\": \"2026-01-02T03:04:05Z\"}\n";
            default: return "0,00,000,0.0,00.00\n";
        }
    }

    Random random_;
    std::size_t columns_;
    std::array<std::int64_t, 8> values_{};
};

TEST(Columns, RestoreTextOfManyStrangeShapes) {
    ColumnCoder coder;
    Random random(21);
    std::size_t coded = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        Nasty nasty(seed);
        const std::string old = nasty.rows(random.below(80u));
        std::string plain = old + nasty.rows(1 + random.below(80u));
        // A cut anywhere, as chunks have it; old rows dropped; rows changed.
        if (random.below(2u) == 0) plain.erase(0, random.below(plain.size() / 2));
        if (random.below(2u) == 0) plain.erase(plain.size() / 2 + random.below(plain.size() / 2));
        for (std::size_t i = random.below(4u); i > 0; --i)
            plain[random.below(plain.size())] = static_cast<char>('0' + random.below(10u));
        for (const std::string& base : {std::string(), old, old.substr(0, old.size() / 2)}) {
            coded += comes_back(coder, plain, base) ? 1u : 0u;
            for (const Level level : kLevels) code(plain, base, level);
        }
    }
    EXPECT_GT(coded, 250u);
}

TEST(Columns, RestoreEveryByteInALine) {
    ColumnCoder coder;
    for (int byte = 0; byte < 256; ++byte) {
        const std::string plain =
            csv_rows(0, 10) + "a,1" + static_cast<char>(byte) + "2,3\n" + csv_rows(10, 20);
        EXPECT_EQ(comes_back(coder, plain, {}), byte != 0) << byte;
        EXPECT_TRUE(comes_back(coder, csv_rows(10, 30), plain)) << byte;
    }
}

TEST(Columns, WriteTheSameBytesWhateverTheyDidBefore) {
    const std::string base = json_rows(0, 300);
    const std::string plain = json_rows(10, 500);
    FrameWriter writer;
    ColumnCoder fresh;
    ColumnCoder used;
    Bytes one(plain.size());
    Bytes other(plain.size());
    used.write(as_bytes(csv_rows(0, 4000)), as_bytes(plain), Effort::quick, writer, one);
    const std::size_t size =
        used.write(as_bytes(plain), as_bytes(base), Effort::quick, writer, one);
    EXPECT_EQ(size, fresh.write(as_bytes(plain), as_bytes(base), Effort::quick, writer, other));
    EXPECT_TRUE(
        std::equal(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size), other.begin()));
}

// ---- what a number is ----

std::string shape_of(std::string_view line) {
    Row row;
    EXPECT_TRUE(row.parse(as_bytes(line)));
    std::string text(as_text(row.text()));
    std::replace(text.begin(), text.end(), '\0', '#');
    return text;
}

TEST(Row, FindsNumbersButNotDigitsOfNames) {
    EXPECT_EQ(shape_of("1,-2.5,+3\n"), "#,#,+#\n");
    EXPECT_EQ(shape_of("2026-11-20T15:02:40.196Z"), "#-#-#T#:#:#Z");
    EXPECT_EQ(shape_of("cpu0 t_5 T5 edge-07 20ms"), "cpu0 t_5 T5 edge-# #ms");
    EXPECT_EQ(shape_of("1.2.3 .5 5. 1e-05"), "#.3 .5 #. #e-#");
    EXPECT_EQ(shape_of("-0 -0.5 --1 1-2"), "-# # -# #-#");
    EXPECT_EQ(shape_of("123456789012345678 1234567890123456789"), "# 1234567890123456789");
}

TEST(Row, PrintsWhatItTook) {
    Column column;
    for (const std::string text :
         {"5", "05", "10", "5", "0.7", "0.89", "1.0", "-0.05", "21.50", "21.5", "0", "00",
          "999999999999999999", "0.00000000000000001", "-12", "123456789.123456789"}) {
        Row row;
        ASSERT_TRUE(row.parse(as_bytes(text)));
        ASSERT_EQ(row.numbers().size(), 1u) << text;
        take(column, row.numbers()[0]);
        std::array<std::uint8_t, kNumberBytesMax> out;
        EXPECT_EQ(as_text(ByteView(out).first(print(column, out.data()))), text);
    }
}

TEST(Row, KeepsTheShapeOfAColumnWhoseZerosAreLeftOut) {
    Column column;
    std::size_t reshaped = 0;
    for (const std::string text : {"0.89", "0.7", "1.0", "1.25", "2.0", "10.5"}) {
        Row row;
        ASSERT_TRUE(row.parse(as_bytes(text)));
        reshaped += take(column, row.numbers()[0]).reshaped ? 1u : 0u;
    }
    EXPECT_EQ(reshaped, 2u);  // two decimals; never without any
}

}  // namespace
}  // namespace tributary::codec
