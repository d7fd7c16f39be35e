#include "agent/record/paths.h"

#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

TEST(SourcePaths, AreNamedByTheirLastComponent) {
    const auto sources = name_sources({"data/photos//", "/m/model.bin", "notes"});

    ASSERT_TRUE(sources);
    EXPECT_EQ((*sources)[0].path, "data/photos");
    EXPECT_EQ((*sources)[0].name, "photos");
    EXPECT_EQ((*sources)[1].name, "model.bin");
    EXPECT_EQ((*sources)[2].name, "notes");
}

TEST(SourcePaths, MustNotEndInTheSameName) {
    const auto sources = name_sources({"a/data", "b/data/"});

    ASSERT_FALSE(sources);
    EXPECT_EQ(sources.error().code, Errc::invalid);
    EXPECT_NE(sources.error().what.find("'a/data' and 'b/data/'"), std::string::npos);
}

TEST(SourcePaths, MustHaveAName) {
    for (const char* path : {".", "..", "/", "a/..", "", "//"})
        EXPECT_FALSE(name_sources({path})) << path;
}

TEST(SourcePaths, OfFilesWithASetIdBitAreNotRecorded) {
    FileStatus status;
    status.kind = FileStatus::Kind::regular;
    EXPECT_TRUE(check_recordable("run", status));
    status.set_id = true;
    const Status refused = check_recordable("run", status);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("chmod"), std::string::npos);
}

}  // namespace
}  // namespace tributary::agent
