#include "agent/app/hardware.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

Hardware of(std::map<std::string, std::set<std::string>> facts) { return {std::move(facts)}; }

class HardwareOfABoard : public testing::Test {
protected:
    void write(const std::string& path, std::string_view text) {
        ASSERT_TRUE(files.make_directories(std::string(parent_path(path))));
        ASSERT_TRUE(replace_file(files, path, as_bytes(text)));
    }
    void interface(const std::string& name, std::string_view address, std::string_view kind) {
        const std::string path = "/sys/class/net/" + name;
        write(path + "/address", address);
        write(path + "/addr_assign_type", kind);
        write(path + "/device/vendor", "0x1af4\n");
    }
    test::SimFiles files;
};

TEST_F(HardwareOfABoard, IsReadFromItsSerialNumberItsNetworkAndItsMachineId) {
    write("/proc/device-tree/serial-number", std::string_view("1000abcd\0", 9));
    interface("eth0", "02:11:22:33:44:55\n", "0\n");
    write("/etc/machine-id", "0123\n");

    const Hardware read = read_hardware(files);

    ASSERT_EQ(read.facts.size(), 3u);
    const std::string hash = *read.facts.at("serial").begin();
    EXPECT_EQ(hash.size(), 64u) << "no serial number lies about in the open";
    write("/proc/device-tree/serial-number", "1000abcd");
    EXPECT_EQ(read_hardware(files), read);
}

TEST_F(HardwareOfABoard, HasNoAddressesThatSomebodyDrewOrThatBelongToNoDevice) {
    interface("wlan0", "02:aa:bb:cc:dd:ee\n", "1\n");
    interface("lo", "00:00:00:00:00:00\n", "0\n");
    write("/sys/class/net/docker0/address", "02:42:00:00:00:01\n");
    write("/sys/class/net/docker0/addr_assign_type", "0\n");
    EXPECT_TRUE(read_hardware(files).facts.empty());
}

TEST_F(HardwareOfABoard, IsKeptBesideTheStore) {
    const Hardware hardware = of({{"serial", {"a"}}, {"network", {"b", "c"}}});
    EXPECT_EQ(load_hardware(files, "hardware.json"), std::nullopt);
    ASSERT_TRUE(save_hardware(files, "hardware.json", hardware));
    EXPECT_EQ(load_hardware(files, "hardware.json"), hardware);
    files.flip_bit("hardware.json", 3);
    EXPECT_EQ(load_hardware(files, "hardware.json"), std::nullopt);
}

TEST(Hardware, WhatOnlyRootCanReadStaysKnown) {
    Hardware now = of({{"network", {"y"}}});
    now.add_unknown(of({{"serial", {"a"}}, {"network", {"x"}}}));
    EXPECT_EQ(now, of({{"serial", {"a"}}, {"network", {"y"}}}));
}

TEST(Hardware, AnotherSerialNumberIsAnotherMachineWhateverElseIsTheSame) {
    EXPECT_TRUE(is_another(of({{"serial", {"a"}}, {"machine", {"m"}}}),
                           of({{"serial", {"b"}}, {"machine", {"m"}}})));
    EXPECT_FALSE(is_another(of({{"serial", {"a"}}, {"network", {"x"}}, {"machine", {"m"}}}),
                            of({{"serial", {"a"}}, {"network", {"y"}}, {"machine", {"n"}}})));
}

TEST(Hardware, OneNetworkAdapterMoreOrLessIsTheSameMachine) {
    EXPECT_FALSE(is_another(of({{"network", {"a", "b"}}}), of({{"network", {"b", "c"}}})));
    EXPECT_TRUE(is_another(of({{"network", {"a"}}, {"machine", {"m"}}}),
                           of({{"network", {"c"}}, {"machine", {"m"}}})));
}

TEST(Hardware, WhatIsNotKnownOnBothSidesSaysNothing) {
    EXPECT_FALSE(is_another(of({}), of({{"serial", {"a"}}})));
    EXPECT_FALSE(is_another(of({{"serial", {"a"}}}), of({{"network", {"x"}}})));
    EXPECT_TRUE(is_another(of({{"serial", {"a"}}, {"machine", {"m"}}}), of({{"machine", {"n"}}})));
}

}  // namespace
}  // namespace tributary::agent
