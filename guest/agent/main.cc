// stubdomain-agent: owns the guest's stubdomain-pci device.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <string>

#include "agent/agent.h"
#include "agent/hooks.h"
#include "agent/log.h"
#include "agent/pci_device.h"
#include "agent/server.h"
#include "agent/wall_clock.h"
#include "hw/stubdomain/regs.h"
#include "version.h"

namespace stubdomain {
namespace {

// Without UIO nothing tells of interrupts.
constexpr int kPollIntervalMs = 10;

UniqueFd BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

void Serve(const std::string& socket_path) {
  PciDevice device({});
  const bool has_uio = device.interrupt_fd() >= 0;
  SystemWallClock clock;
  Server server(socket_path);
  Agent agent(
      device, clock,
      {.answer = [&server](
                     Agent::ClientId client, const Answer& answer, bool last,
                     int fd) { server.SendAnswer(client, answer, last, fd); },
       .find_socket =
           [](const Endpoint& guest, const Endpoint& peer) {
             return FindSocket(guest, peer);
           },
       .interrupts = has_uio ? "uio" : "polling",
       .run_hooks =
           [](Hook hook) {
             if (hook == Hook::kSuspending) {
               RunHooks(kPreSuspendHooks, "suspending");
             } else {
               RunHooks(kPostRestoreHooks, "restored");
             }
           },
       .prepares = HasHooks(kPreSuspendHooks)});
  const UniqueFd stop = BlockStopSignals();
  agent.Start();
  if (has_uio) device.EnableInterrupt();
  if (!(device.Read(STUBDOMAIN_REG_STATUS) & STUBDOMAIN_STATUS_NET)) {
    Log("the host attached no network to the device");
  }
  Log("serving " + socket_path + " for " + device.address() +
      (has_uio ? ", interrupts by UIO" : ", without UIO: polling"));

  const std::vector<Server::Watch> watches = {
      {stop.get(), [&server] { server.Stop(); }},
      {device.interrupt_fd(),
       [&] {
         device.TakeInterrupt();
         agent.OnInterrupt();
         device.EnableInterrupt();
       }},
  };
  server.Run(agent, watches, has_uio ? -1 : kPollIntervalMs,
             [&agent] { agent.OnInterrupt(); });
  agent.Stop();
}

}  // namespace
}  // namespace stubdomain

int main(int argc, char** argv) {
  CLI::App app(
      "Owns the machine's stubdomain-pci device: takes the waits of programs "
      "to the stub domain on the host, and readies the guest after a restore. "
      "Runs in the foreground, as root.");
  app.set_version_flag("--version", "stubdomain-agent " STUBDOMAIN_VERSION);
  std::string socket_path = stubdomain::kDefaultSocket;
  app.add_option("--socket", socket_path, "Where programs connect")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  umask(022);
  try {
    stubdomain::Serve(socket_path);
  } catch (const std::exception& error) {
    stubdomain::Log(error.what());
    return 1;
  }
  return 0;
}
