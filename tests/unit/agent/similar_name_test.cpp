#include "agent/record/similar_name.h"

#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

std::vector<TreeItem> files(const std::vector<std::string>& names) {
    std::vector<TreeItem> items;
    for (const std::string& name : names) items.emplace_back().name = name;
    return items;
}

std::string nearest(const std::vector<TreeItem>& items, std::string_view name) {
    const TreeItem* item = SimilarNames(items).nearest(name, false);
    return item ? item->name : "none";
}

TEST(SimilarName, OfACheckpointIsTheOneBeforeInTheOrderOfNumbers) {
    const auto items = files({"step-10.pt", "step-100.pt", "step-9.pt", "steps.pt"});
    EXPECT_EQ(nearest(items, "step-11.pt"), "step-10.pt");
    EXPECT_EQ(nearest(items, "step-1000.pt"), "step-100.pt");
    EXPECT_EQ(nearest(items, "step-10.pt"), "step-9.pt");
    EXPECT_EQ(nearest(items, "step-0099.pt"), "step-10.pt");
}

TEST(SimilarName, OfTheFirstIsTheNext) { EXPECT_EQ(nearest(files({"v02", "v03"}), "v01"), "v02"); }

TEST(SimilarName, MayHaveSeveralNumbers) {
    const auto items = files({"2026-11-20_0.csv", "2026-11-20_1.csv", "2026-11-22_0.csv"});
    EXPECT_EQ(nearest(items, "2026-11-21_0.csv"), "2026-11-20_1.csv");
}

TEST(SimilarName, DiffersInNumbersAlone) {
    const auto items = files({"model.pt", "step-1.pt", "step-x.pt"});
    EXPECT_EQ(nearest(items, "optimizer.pt"), "none");
    EXPECT_EQ(nearest(items, "step-1.onnx"), "none");
    EXPECT_EQ(nearest(items, "step-.pt"), "none");
    EXPECT_EQ(nearest({}, "step-1.pt"), "none");
}

TEST(SimilarName, OfAFolderIsAFolders) {
    std::vector<TreeItem> items = files({"run-1"});
    items[0].type = TreeItem::Type::tree;
    EXPECT_EQ(nearest(items, "run-2"), "none");
    EXPECT_EQ(SimilarNames(items).nearest("run-2", true), &items[0]);
}

}  // namespace
}  // namespace tributary::agent
