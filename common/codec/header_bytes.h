// The bytes of a file's header one by one, through a window of 64 KiB. Past the end, or after an
// error of the file, there are only zeros; done() and status() tell.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/layout.h"

namespace tributary::codec {

class HeaderBytes {
public:
    // begin .. end of the file that `read` reads, which outlives this.
    HeaderBytes(const ReadAt& read, std::uint64_t begin, std::uint64_t end)
        : read_(read), next_(begin), end_(end) {}

    std::uint8_t peek() {
        if (at_ == have_ && !refill()) return 0;
        return window_[at_];
    }
    std::uint8_t take() {
        const std::uint8_t byte = peek();
        if (at_ < have_)
            ++at_;
        else
            short_ = true;
        return byte;
    }
    // Little-endian.
    template <class T>
    T number() {
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            value = static_cast<T>(value | static_cast<T>(T{take()} << (8 * i)));
        return value;
    }
    // Reads nothing of what it passes over, if that reaches beyond the window.
    void skip(std::uint64_t bytes) {
        const auto here = std::min<std::uint64_t>(bytes, have_ - at_);
        at_ += static_cast<std::size_t>(here);
        bytes -= here;
        if (bytes > end_ - next_) {
            short_ = true;
            bytes = end_ - next_;
        }
        next_ += bytes;
    }

    std::uint64_t position() const { return next_ - (have_ - at_); }
    bool at_end() { return at_ == have_ && !refill(); }
    // Whether more was asked for than there is.
    bool ran_out() const { return short_; }
    const Status& status() const { return status_; }

private:
    static constexpr std::size_t kWindowBytes = 64 * limits::KiB;

    bool refill() {
        if (next_ == end_ || !status_) return false;
        window_.resize(kWindowBytes);
        const auto want = std::min<std::uint64_t>(kWindowBytes, end_ - next_);
        const auto got = read_(next_, ByteSpan(window_).first(static_cast<std::size_t>(want)));
        at_ = have_ = 0;
        if (!got) {
            status_ = tl::unexpected<Error>(got.error());
            return false;
        }
        have_ = *got;
        next_ = have_ == 0 ? end_ : next_ + have_;
        return have_ != 0;
    }

    const ReadAt& read_;
    std::uint64_t next_;  // in the file, behind the window
    std::uint64_t end_;
    Bytes window_;
    std::size_t at_ = 0;
    std::size_t have_ = 0;
    bool short_ = false;
    Status status_;
};

}  // namespace tributary::codec
