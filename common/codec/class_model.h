// Adaptive tables of symbol frequencies for rANS: what has been seen in a piece so far says how
// often each symbol will come, in each of several contexts. Encoder and decoder learn alike, so no
// table is stored. Integers only.
//
// A table is made anew for the contexts that have seen anything since the last time; the coder says
// when. A symbol that a context has not seen gets its share from what all contexts have seen
// together, and one that none has seen is spelled out after kEscape.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tributary::codec {

class ClassModel {
public:
    static constexpr unsigned kProbabilityBits = 11;
    static constexpr unsigned kProbabilityTotal = 1u << kProbabilityBits;
    static constexpr std::size_t kContexts = 16;
    static constexpr std::size_t kSymbols = 256;
    static constexpr std::uint8_t kEscape = 255;  // the coder spells that symbol out as well

    // How symbols of different contexts belong together. shifted: four symbols more in the next
    // context mean the same (a step of one size has one more bit where the units are half as
    // large); symbol 0 is the same everywhere. same: each symbol means the same everywhere.
    enum class Kinship : std::uint8_t { same, shifted };

    struct Slot {
        std::uint16_t frequency;  // 0: not to be coded in this context, escape
        std::uint16_t start;
    };
    struct Table {
        std::array<Slot, kSymbols> slots;
        std::array<std::uint8_t, kProbabilityTotal> symbol_at;  // for the decoder
    };

    // Forgets everything. `symbols`: how many there can be, kEscape not counted.
    void reset(std::size_t symbols, Kinship kinship);
    void count(std::size_t context, std::uint8_t symbol) {
        ++counts_[context][symbol];
        counted_[context] = true;
    }
    // Makes the tables of the contexts that have counted anything say so; `lookup`: fills symbol_at
    // too.
    void learn(bool lookup);
    const Table& table(std::size_t context) const { return tables_[context]; }

private:
    std::size_t kin(std::size_t context) const;
    void sum_up();
    void make(std::size_t context, bool lookup);

    std::size_t symbols_ = 0;
    Kinship kinship_ = Kinship::same;
    std::array<std::array<std::uint32_t, kSymbols>, kContexts> counts_;
    std::array<bool, kContexts> counted_;  // since the tables were made
    // Over all contexts, by what they mean.
    std::array<std::uint32_t, kSymbols + 4 * kContexts> together_;
    std::uint32_t together_total_ = 0;
    std::size_t together_begin_ = 0;  // of those behind symbol 0, the first that is not 0
    std::size_t together_end_ = 0;    // behind the last one
    std::array<Table, kContexts> tables_;
};

}  // namespace tributary::codec
