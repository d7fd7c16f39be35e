// Every hard limit of the formats and protocols, in one place, with the relations between them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tributary::limits {

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;

// Content
inline constexpr std::size_t kPieceBytesMax = 1 * MiB;       // a piece is decoded whole in RAM
inline constexpr std::size_t kTreeNodeBytesMax = 256 * KiB;  // past this a tree splits
inline constexpr std::size_t kNameBytesMax = 255;            // one component of a path
inline constexpr std::size_t kParentsMax = 4096;             // heads that one merge version folds
inline constexpr std::size_t kInputsMax = 4096;
inline constexpr std::size_t kTextBytesMax =
    255;  // role, selector, author, branch in a canonical statement
inline constexpr std::size_t kVersionBytesMax = 1 * MiB;
inline constexpr std::size_t kNotesBytesMax = 64 * KiB;
inline constexpr std::size_t kTreeDepthMax = 64;  // directories one in another, the root included
// Files and directories that a version's tree stands for, each counted wherever it stands.
inline constexpr std::uint64_t kTreePathsMax = 16 * 1024 * 1024;
// Names that one merge or diff looks at before it gives up.
inline constexpr std::uint64_t kCompareNamesMax = 4 * 1024 * 1024;
inline constexpr std::uint64_t kMergeBytesMax = 256 * MiB;   // of what one merge makes, in RAM
inline constexpr std::uint64_t kListBytesMax = 256 * MiB;    // of paths that one answer lists
inline constexpr std::uint64_t kListPathsMax = 1024 * 1024;  // paths that one answer lists

// Records and the log
inline constexpr std::size_t kBasesMax = 3;
inline constexpr std::size_t kEntryBodyBytesMax = 64 * KiB;  // an entry travels whole in an Offer
inline constexpr std::size_t kRecordPayloadBytesMax =
    kPieceBytesMax + 64 * KiB;  // never larger than plain plus a prelude
inline constexpr std::size_t kChainDepthMaxDevice = 16;
inline constexpr std::size_t kChainDepthMaxHub = 32;
inline constexpr std::size_t kSegmentBytesDevice = 8 * MiB;
inline constexpr std::size_t kSegmentBytesHub = 64 * MiB;

// Trust
inline constexpr std::size_t kRootBytesMax = 64 * KiB;  // of a root document, signatures included
inline constexpr std::size_t kRootStepsMax = 1024;      // versions that one walk passes
inline constexpr std::size_t kSignaturesMax = 64;       // of one document
inline constexpr std::size_t kCertificateBytesMax = 4 * KiB;  // DER
inline constexpr std::size_t kCsrBytesMax = 8 * KiB;          // DER, or PEM

// Sync
inline constexpr std::size_t kFrameBytesMax = 128 * KiB;  // one MQTT payload, envelope included
inline constexpr std::size_t kDataFrameBytes = 64 * KiB;
inline constexpr std::size_t kDataFrameBytesSlow = 16 * KiB;
inline constexpr std::size_t kFramesInFlightMax = 8;
inline constexpr std::size_t kOfferObjectsMax = 4096;
inline constexpr std::size_t kOfferEntriesMax = 1024;
inline constexpr std::size_t kOfferBytesMax =
    112 * KiB;  // objects and entries of one page, as PageBudget counts them
inline constexpr std::size_t kSealBytesMax = 8 * KiB;
inline constexpr std::size_t kReceiptBytesMax = 64 * KiB;
inline constexpr std::size_t kSignedDocumentBytesMax = 32 * KiB;
inline constexpr std::size_t kHelloJournalsMax = 16;
inline constexpr std::size_t kRefusedItemsMax = 64;
inline constexpr std::size_t kReasonBytesMax = 255;
inline constexpr std::size_t kDataBytesMax = kFrameBytesMax - 1 * KiB;  // of stream in one Data
inline constexpr std::size_t kCreditBytesMax = kFramesInFlightMax * kDataBytesMax;

static_assert(kListPathsMax <= kCompareNamesMax && kCompareNamesMax <= kTreePathsMax);
static_assert(kRecordPayloadBytesMax > kTreeNodeBytesMax);
static_assert(kRecordPayloadBytesMax > kVersionBytesMax);
static_assert(kRecordPayloadBytesMax > kEntryBodyBytesMax);
static_assert(kDataFrameBytes < kFrameBytesMax);
static_assert(kOfferBytesMax + kSealBytesMax + 1 * KiB < kFrameBytesMax);
static_assert(kEntryBodyBytesMax + 1 * KiB < kOfferBytesMax);
static_assert(kReceiptBytesMax + kRefusedItemsMax * (kReasonBytesMax + 64) + 1 * KiB <
              kFrameBytesMax);
static_assert(2 * kSignedDocumentBytesMax + 1 * KiB < kFrameBytesMax);
// Below mosquitto's own limits in flight, so ours is the one that acts.
static_assert(kFramesInFlightMax < 16);

}  // namespace tributary::limits
