// engine-proxy: the core between two network namespaces, one of which is the
// guest.
//
// Commands come as lines on standard input, and end with it: "restless",
// "restful", "suspend", "restore", "status", "listen hold|answer PORT BYTES
// GUEST-PORT", "cut" (the wire to the peers), "mend". What happens is said as
// lines of JSON.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "link.h"
#include "tap.h"
#include "vm.h"

namespace stubdomain {
namespace {

// Frames that are read from a tap at once.
constexpr int kBatch = 64;
constexpr std::array kSides = {SD_GUEST, SD_PEER};

struct Options {
  std::string guest_netns;
  std::string peer_netns;
  std::string device = "tap0";
  bool offload = false;
  uint32_t seed = 0;
  Faults faults;
};

uint64_t Now() {
  return static_cast<uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch() /
      std::chrono::nanoseconds(1));
}

// tap -> Link "in" -> core -> Link "out" -> tap, in both directions. What lies
// between the core and the guest stands still while the guest is stopped.
class Proxy {
 public:
  explicit Proxy(const Options& options)
      : taps_{Tap(options.guest_netns, options.device, options.offload),
              Tap(options.peer_netns, options.device, options.offload)},
        in_{Link(options.faults, options.seed * 5 + 1),
            Link(options.faults, options.seed * 5 + 2)},
        out_{Link(options.faults, options.seed * 5 + 3),
             Link(options.faults, options.seed * 5 + 4)},
        vm_(options.seed * 5, {.send =
                                   [this](sd_side to, OwnedFrame frame) {
                                     out_[to].Put(std::move(frame), now_);
                                   },
                               .say =
                                   [](const std::string& line) {
                                     std::cout << line << std::endl;
                                   }}) {}

  void Run() {
    std::cout << R"({"event": "ready"})" << std::endl;
    while (!over_) {
      Wait();
      now_ = Now();
      MoveFrames();
      vm_.Tick(now_);
    }
  }

 private:
  bool StandsStill(sd_side side) const {
    return side == SD_GUEST && vm_.stopped();
  }

  void Wait() {
    uint64_t due = vm_.Deadline();
    std::array<pollfd, 3> fds = {{{STDIN_FILENO, POLLIN, 0},
                                  {taps_[SD_GUEST].fd(), POLLIN, 0},
                                  {taps_[SD_PEER].fd(), POLLIN, 0}}};
    for (const sd_side side : kSides) {
      if (StandsStill(side)) {
        fds[1 + side].events = 0;
      } else {
        due = std::min({due, in_[side].due(), out_[side].due()});
      }
    }
    now_ = Now();
    const uint64_t left = due > now_ ? due - now_ : 0;
    timespec timeout{static_cast<time_t>(left / 1'000'000'000),
                     static_cast<long>(left % 1'000'000'000)};
    ppoll(fds.data(), fds.size(), due == SD_NEVER ? nullptr : &timeout,
          nullptr);
    now_ = Now();
    if (fds[0].revents != 0) ReadCommands();
  }

  void MoveFrames() {
    for (const sd_side side : kSides) {
      if (StandsStill(side)) continue;
      for (int i = 0; i < kBatch; ++i) {
        auto frame = taps_[side].Read();
        if (!frame) break;
        in_[side].Put(std::move(*frame), now_);
      }
      while (auto frame = in_[side].Take(now_)) {
        vm_.OnFrame(side, std::move(*frame), now_);
      }
    }
    for (const sd_side side : kSides) {
      if (StandsStill(side)) continue;
      while (auto frame = out_[side].Take(now_)) taps_[side].Write(*frame);
    }
  }

  void ReadCommands() {
    std::array<char, 4096> bytes;
    const ssize_t length = read(STDIN_FILENO, bytes.data(), bytes.size());
    over_ = length <= 0;
    for (ssize_t i = 0; i < length; ++i) {
      if (bytes[i] != '\n') {
        command_ += bytes[i];
      } else {
        Obey(std::exchange(command_, {}));
      }
    }
  }

  void Obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "restless") {
      vm_.SetRestless(true, now_);
    } else if (command == "restful") {
      vm_.SetRestless(false, now_);
    } else if (command == "suspend") {
      vm_.Suspend(now_);
    } else if (command == "restore") {
      vm_.Restore(now_);
    } else if (command == "cut" || command == "mend") {
      in_[SD_PEER].set_cut(command == "cut");
      out_[SD_PEER].set_cut(command == "cut");
    } else if (command == "status") {
      vm_.SayStatus();
    } else if (command == "listen") {
      std::string how;
      uint16_t port = 0;
      uint16_t guest_port = 0;
      uint64_t bytes = 0;
      words >> how >> port >> bytes >> guest_port;
      vm_.Listen(how == "hold" ? SD_ACCEPT_HOLD : SD_ACCEPT_ANSWER, port, bytes,
                 guest_port, now_);
    } else {
      throw std::invalid_argument("no command '" + command + "'");
    }
  }

  uint64_t now_ = Now();
  std::array<Tap, 2> taps_;
  std::array<Link, 2> in_;
  std::array<Link, 2> out_;
  Vm vm_;
  std::string command_;
  bool over_ = false;
};

}  // namespace
}  // namespace stubdomain

int main(int argc, char** argv) {
  stubdomain::Options options;
  CLI::App app("The core between two network namespaces.");
  app.add_option("--guest", options.guest_netns, "namespace of the guest")
      ->required();
  app.add_option("--peer", options.peer_netns, "namespace of its peers")
      ->required();
  app.add_option("--device", options.device, "name of the tap in each");
  app.add_flag("--offload", options.offload, "partial checksums, GSO");
  app.add_option("--seed", options.seed, "of all that is left to chance");
  app.add_option("--drop", options.faults.drop, "probability for a frame");
  app.add_option("--duplicate", options.faults.duplicate, "likewise");
  app.add_option("--reorder", options.faults.reorder, "likewise");
  CLI11_PARSE(app, argc, argv);
  try {
    stubdomain::Proxy(options).Run();
  } catch (const std::exception& error) {
    std::cerr << "engine-proxy: " << error.what() << std::endl;
    return 1;
  }
  return 0;
}
