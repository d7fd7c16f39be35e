// What the boards' door gives of what was recorded, and to whom.
#include "tests/integration/hub/door_fixture.h"

namespace tributary::hub {
namespace {

TEST_F(TrustDoor, FetchesForDevicesAlone) {
    enrol();
    const std::string target = "/api/v1/object?kind=piece&name=sha256%3A" + std::string(64, 'a') +
                               "&version=sha256%3A" + std::string(64, 'a');
    const auto proof = [&](trust::Signer& by) {
        return to_hex(by.sign(trust::kFetchPurpose, trust::fetch_digest(target)).value());
    };
    const auto fetch = [&](const std::string& device, const std::string& digits) {
        return board("GET", target, "",
                     {{std::string(trust::kFetchDeviceHeader), device},
                      {std::string(trust::kFetchProofHeader), digits}})
            .status;
    };
    EXPECT_EQ(board("GET", target).status, 403u);
    EXPECT_EQ(fetch("cam", "zz"), 400u);
    EXPECT_EQ(fetch("cam", proof(*root_key)), 403u);
    EXPECT_EQ(fetch("cam", proof(*key)), 404u);  // let in; it is not held
}

// Each look at a proof costs the hub signatures, also of a board that was let in.
TEST_F(TrustDoor, LooksAtNoFetchOfADeviceThatHasHadItsObjects) {
    enrol();
    const std::string target = "/api/v1/object?kind=piece&name=sha256%3A" + std::string(64, 'a') +
                               "&version=sha256%3A" + std::string(64, 'a');
    const auto fetch = [&](trust::Signer& by) {
        const Bytes proof = by.sign(trust::kFetchPurpose, trust::fetch_digest(target)).value();
        return board("GET", target, "",
                     {{std::string(trust::kFetchDeviceHeader), "cam"},
                      {std::string(trust::kFetchProofHeader), to_hex(proof)}})
            .status;
    };
    for (std::uint32_t i = 1; i < DoorLimits::kFetchesAMinute; ++i)
        limits.count_fetch("cam", hub->now());
    EXPECT_EQ(fetch(*root_key), 403u) << "not its word, and not counted as such";
    EXPECT_EQ(fetch(*key), 404u);
    const std::uint64_t looked = hub->enrolment()->refused(Refusal::proof);
    EXPECT_EQ(fetch(*root_key), 429u);
    EXPECT_EQ(fetch(*key), 429u);
    EXPECT_EQ(hub->enrolment()->refused(Refusal::proof), looked);
}

TEST_F(TrustDoor, ServesObjectsOfABoardsOwnVersionsAlone) {
    test::Board cam("cam", 50), other("other", 60);
    const VersionId own = cam.commit("fleet/data", {{"x", "mine"}});
    const VersionId theirs = other.commit("fleet/data", {{"x", "theirs"}});
    cam.bring_to(hub->ledger());
    other.bring_to(hub->ledger());
    const auto fetch = [&](const std::string& version, std::string_view file) {
        const std::string target =
            "/api/v1/object?kind=piece&name=" + Digest(sha256(as_bytes(file))).text() +
            "&version=" + version;
        const Bytes proof =
            cam.signer().sign(trust::kFetchPurpose, trust::fetch_digest(target)).value();
        return board("GET", target, "",
                     {{std::string(trust::kFetchDeviceHeader), "cam"},
                      {std::string(trust::kFetchProofHeader), to_hex(proof)}})
            .status;
    };
    EXPECT_EQ(fetch(own.text(), "mine"), 200u);
    EXPECT_EQ(fetch(own.text(), "theirs"), 404u);
    EXPECT_EQ(fetch(theirs.text(), "theirs"), 404u);
    EXPECT_EQ(hub->enrolment()->refused(Refusal::object), 2u);
    EXPECT_EQ(hub->ledger().catalog().device("cam")->refused_here.count("door_object"), 1u);
    EXPECT_EQ(fetch("sha256:" + std::string(64, 'a'), "mine"), 404u);  // held by nobody
    EXPECT_EQ(hub->enrolment()->refused(Refusal::object), 2u);
    EXPECT_EQ(fetch("x", "mine"), 400u);

    ASSERT_TRUE(hub->ledger().append(
        {AssignedBody{"cam", 1, "m", "fleet/data", theirs, sha256(as_bytes("document"))}}));
    EXPECT_EQ(fetch(theirs.text(), "theirs"), 200u);
}

class TrustDoorWithALongWalk : public TrustDoor {
protected:
    // What board "cam" is answered that asks for an object of a large version, when `meanwhile` has
    // happened.
    unsigned status_after(const std::function<void(const test::Board& cam)>& meanwhile) {
        test::Board cam("cam", 50);
        std::vector<TreeItem> folders;
        for (int i = 0; i < 500; ++i) {
            const std::string name = std::to_string(i);
            const auto file =
                cam.store().stage_piece({as_bytes(name)}, {}, codec::Level::standard).value();
            const EncodedTree below =
                encode_tree({{TreeItem::Type::file, "f", file.digest, name.size()}}).value();
            for (const EncodedTreeNode& node : below.nodes)
                EXPECT_TRUE(cam.store().stage_object(RecordKind::tree, node.bytes));
            folders.push_back({TreeItem::Type::tree, name, below.id.digest, below.size});
        }
        const VersionId version = cam.commit_tree("fleet/data", encode_tree(folders).value());
        cam.bring_to(hub->ledger());
        HttpRequest request;
        request.method = "GET";
        request.target =
            "/api/v1/object?kind=piece&name=" + Digest(sha256(as_bytes(std::string("0")))).text() +
            "&version=" + version.text();
        HttpTarget parsed = parse_target(request.target).value();
        request.segments = std::move(parsed.segments);
        request.query = std::move(parsed.query);
        request.headers = {
            {std::string(trust::kFetchDeviceHeader), "cam"},
            {std::string(trust::kFetchProofHeader),
             to_hex(cam.signer()
                        .sign(trust::kFetchPurpose, trust::fetch_digest(request.target))
                        .value())}};
        const HttpRoutes routes = door_routes(*hub, limits);
        std::string allowed;
        unsigned status = 0;
        routes.find(request, allowed)->handler(request, [&](const HttpResponse& response) {
            status = response.status;
            loop->stop();
        });
        EXPECT_EQ(status, 0u) << "it is looked for";
        meanwhile(cam);
        loop->run();
        return status;
    }
};

TEST_F(TrustDoorWithALongWalk, ServesTheObjectThatWasLookedFor) {
    EXPECT_EQ(status_after([](const test::Board&) {}), 200u);
}

TEST_F(TrustDoorWithALongWalk, ServesNothingToABoardThatWasRevokedMeanwhile) {
    EXPECT_EQ(status_after([&](const test::Board&) {
                  ASSERT_TRUE(hub->ledger().append({RevokedBody{"cam", {}, "me", "lost"}}));
              }),
              403u);
}

// The name is believed again, and is not that board's any more.
TEST_F(TrustDoorWithALongWalk, ServesNothingToABoardThatWasReplacedMeanwhile) {
    EXPECT_EQ(status_after([&](const test::Board&) {
                  Incarnation other;
                  other.bytes.fill(9);
                  ASSERT_TRUE(hub->ledger().append(
                      {RevokedBody{"cam", {}, "me", "replaced by another board"},
                       DeviceBoundBody{"cam", other, key->public_key()}}));
              }),
              403u);
}

}  // namespace
}  // namespace tributary::hub
