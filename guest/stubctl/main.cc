// stubctl: waits and status from the command line of a guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "lib/client.h"
#include "protocol/json_reader.h"
#include "stubctl/status_text.h"
#include "version.h"

namespace stubdomain {
namespace {

using nlohmann::json;

enum ExitCode {
  kReplied = 0,
  kFailed = 1,
  kUsage = 2,
  kTimeout = 3,
  kClosed = 4,
  kReset = 5,
  kCancelled = 6,
  kRefused = 7,
};

constexpr char kExitCodes[] =
    "Exit status: 0 replied (shown, or the plan is good), 1 failed (no agent, "
    "or it does "
    "not work),\n2 wrong usage, 3 timeout, 4 closed by the peer, 5 reset, 6 "
    "cancelled by the host,\n7 refused.";

ExitCode CodeOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kReplied:
      return kReplied;
    case Outcome::kClosed:
      return kClosed;
    case Outcome::kReset:
      return kReset;
    case Outcome::kTimeout:
      return kTimeout;
    case Outcome::kCancelled:
      return kCancelled;
  }
  return kFailed;
}

struct Options {
  std::string socket = AgentSocket();
  bool as_json = false;
  int fd = -1;
  std::string addresses;
  std::string plan_file;
  uint16_t port = 0;
  bool answer = false;
  uint16_t guest_port = 0;
  uint32_t timeout_ms = 0;
  bool no_suspend = false;
  uint32_t thread = 0;
  uint32_t importance = 0;
  std::string depth;
  std::optional<uint32_t> evict_delay_ms;
  uint32_t expected_ms = 0;
  std::string request_class;
  std::vector<std::string> command;
};

// "LOCAL,REMOTE"; nothing if it is malformed.
std::optional<Flow> ParseFlow(const std::string& text) {
  const size_t comma = text.find(',');
  if (comma == text.npos) return std::nullopt;
  const auto guest = ParseEndpoint(text.substr(0, comma));
  const auto peer = ParseEndpoint(text.substr(comma + 1));
  if (!guest || !peer) return std::nullopt;
  return Flow{.guest = guest, .peer = *peer};
}

json ReadPlan(const std::string& path) {
  std::ifstream file(path);
  // One byte more than can be sent is enough to be refused.
  std::string text(kMaxRequest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad() || !file.is_open()) {
    throw RequestError(Reason::kInvalid, path + ": cannot be read");
  }
  if (text.size() > kMaxRequest) {
    throw RequestError(
        Reason::kInvalid,
        path + ": longer than " + std::to_string(kMaxRequest) + " bytes");
  }
  try {
    return ParseJsonObject(text);
  } catch (const JsonError& error) {
    throw RequestError(Reason::kInvalid, path + ": " + error.what());
  }
}

// Sends a request for a wait, and shows how that ends.
template <typename Request>
ExitCode RunWait(const Options& options, Request request) {
  if (!options.plan_file.empty()) request.plan = ReadPlan(options.plan_file);
  request.timeout_ms = options.timeout_ms;
  request.suspend = !options.no_suspend;

  Client client(options.socket);
  const std::span fds(&options.fd, options.fd >= 0 ? 1 : 0);
  client.Send(request, fds);
  const Ended ended = client.ReceiveEnd(fds);
  if (options.as_json) {
    std::cout << Encode(ended) << "\n";
  } else {
    std::cout << OutcomeName(ended.outcome) << ", " << ended.bytes << " bytes";
    if (!ended.handler.empty()) std::cout << ", by " << ended.handler;
    std::cout << "\n";
  }
  return CodeOf(ended.outcome);
}

ExitCode Wait(const Options& options) {
  WaitRequest request;
  if (!options.addresses.empty()) request.flow = ParseFlow(options.addresses);
  request.thread = options.thread;
  request.importance = options.importance;
  request.depth = options.depth;
  request.evict_delay_ms = options.evict_delay_ms;
  request.expected_ms = options.expected_ms;
  request.request_class = options.request_class;
  return RunWait(options, request);
}

ExitCode Listen(const Options& options) {
  ListenRequest request;
  request.port = options.port;
  request.answer = options.answer;
  request.guest_port = options.guest_port;
  return RunWait(options, request);
}

void AddWaitOptions(CLI::App* command, Options& options) {
  command->footer(kExitCodes);
  command
      ->add_option("--plan", options.plan_file,
                   "Handling plan, JSON; default: wake at the first byte")
      ->type_name("FILE");
  command
      ->add_option("--timeout", options.timeout_ms,
                   "Longest wait in milliseconds; 0: no limit")
      ->type_name("MS")
      ->capture_default_str();
  command->add_flag("--no-suspend", options.no_suspend,
                    "Do not propose to suspend the virtual machine");
}

ExitCode ShowStatus(const Options& options) {
  const json status = QueryStatus(options.socket);
  if (options.as_json) {
    std::cout << status.dump() << "\n";
  } else {
    std::cout << StatusText(status);
  }
  return kReplied;
}

// Runs the command, and holds the inhibit for its time. Returns its status.
int Inhibited(const Options& options) {
  if (options.command.empty()) {
    std::cerr << "stubctl: inhibit: which command?\n";
    return kUsage;
  }
  const Client inhibit = Inhibit(options.socket);
  std::vector<char*> command;
  for (const std::string& word : options.command) {
    command.push_back(const_cast<char*>(word.c_str()));
  }
  command.push_back(nullptr);
  pid_t child;
  const int error = posix_spawnp(&child, command[0], nullptr, nullptr,
                                 command.data(), environ);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), command[0]);
  }
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // As a shell tells of one that a signal ended.
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ExitCode ShowThreads(const Options& options) {
  const json status = QueryStatus(options.socket);
  JsonReader reader(status, "");
  const json* threads = reader.Array("threads");
  if (threads == nullptr) reader.Missing("threads");
  if (options.as_json) {
    std::cout << threads->dump() << "\n";
  } else {
    std::cout << ThreadsText(*threads);
  }
  return kReplied;
}

ExitCode CheckPlanFile(const Options& options) {
  CheckPlan(options.socket, ReadPlan(options.plan_file));
  if (options.as_json) {
    std::cout << Encode(Checked()) << "\n";
  } else {
    std::cout << options.plan_file << ": ok\n";
  }
  return kReplied;
}

ExitCode ShowHistory(const Options& options) {
  const json decisions = QueryHistory(options.socket);
  if (options.as_json) {
    for (const json& decision : decisions) std::cout << decision.dump() << "\n";
  } else {
    std::cout << HistoryText(decisions);
  }
  return kReplied;
}

int Report(const Options& options, const RequestError& error) {
  if (options.as_json) std::cout << Encode(error) << "\n";
  std::cerr << "stubctl: " << ReasonName(error.reason()) << ": " << error.what()
            << "\n";
  return error.reason() == Reason::kDevice ? kFailed : kRefused;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Asks the stub domain of this virtual machine, through its "
      "agent.");
  app.footer(kExitCodes);
  app.set_version_flag("--version", "stubctl " STUBDOMAIN_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--socket", options.socket, "The agent's socket")
      ->capture_default_str();
  app.add_flag("--json", options.as_json, "Print JSON, one object in a line");

  CLI::App* wait = app.add_subcommand(
      "wait",
      "Wait for the reply on a connection. The virtual machine may be "
      "suspended meanwhile.");
  CLI::Option_group* connection = wait->add_option_group("connection");
  connection
      ->add_option("--fd", options.fd,
                   "The connection's descriptor, TCP or UDP, inherited by "
                   "stubctl")
      ->check(CLI::NonNegativeNumber);
  connection
      ->add_option(
          "--tcp", options.addresses,
          "A TCP connection's addresses, 192.0.2.1:4000,192.0.2.2:80 or "
          "with [IPv6]; it must be the caller's own, unless the "
          "caller is root")
      ->type_name("LOCAL,REMOTE")
      ->check([](const std::string& text) {
        return ParseFlow(text) ? std::string()
                               : "expected ADDRESS:PORT,ADDRESS:PORT";
      });
  connection->require_option(1);
  AddWaitOptions(wait, options);
  wait->add_option("--thread", options.thread,
                   "The registered thread that waits");
  wait->add_option("--importance", options.importance,
                   "Importance of the reply, 0 to 5")
      ->check(CLI::Range(0, 5))
      ->capture_default_str();

  wait->add_option("--depth", options.depth,
                   "How deep the machine may sleep: idle, evict or auto; "
                   "default: as the host says")
      ->check(CLI::IsMember({"idle", "evict", "auto"}));
  wait->add_option("--evict-delay", options.evict_delay_ms,
                   "Milliseconds until its memory is given back; default: as "
                   "the host says")
      ->type_name("MS");
  wait->add_option("--expected", options.expected_ms,
                   "Milliseconds to the reply, as the caller expects; 0: it "
                   "does not say")
      ->type_name("MS")
      ->capture_default_str();
  wait->add_option("--class", options.request_class,
                   "Kind of request, by which the host learns reply times")
      ->type_name("NAME");

  CLI::App* listen = app.add_subcommand(
      "listen",
      "Wait for a new TCP connection to a port of this machine, which may be "
      "suspended meanwhile. For root.");
  listen->add_option("--port", options.port, "The port that peers connect to")
      ->required()
      ->check(CLI::Range(1, 65535));
  listen->add_flag("--answer", options.answer,
                   "Let the stub domain answer in the machine's name, and take "
                   "the plan's bytes before it wakes the machine; default: "
                   "wake it to answer");
  listen
      ->add_option("--guest-port", options.guest_port,
                   "With --answer: hand connections to this port instead")
      ->check(CLI::Range(1, 65535));
  AddWaitOptions(listen, options);

  CLI::App* status = app.add_subcommand(
      "status",
      "Show the open waits, and how often the virtual machine was "
      "suspended.");
  CLI::App* threads = app.add_subcommand(
      "threads", "Show the threads that are registered through this agent.");
  CLI::App* history = app.add_subcommand(
      "history", "Show what the host decided last about suspends, and why.");
  CLI::App* plan = app.add_subcommand("plan", "Handling plans.");
  plan->require_subcommand(1);
  CLI::App* check = plan->add_subcommand(
      "check", "Ask the host whether it would take a plan.");
  check->footer(kExitCodes);
  check->add_option("file", options.plan_file, "Handling plan, JSON")
      ->type_name("FILE")
      ->required();
  CLI::App* inhibit = app.add_subcommand(
      "inhibit",
      "Run a command; meanwhile no wait suspends the virtual machine. The exit "
      "status is the command's.");
  inhibit->footer("Usage: stubctl [--socket PATH] inhibit COMMAND...");
  // Whatever comes behind it is the command's.
  inhibit->fallthrough(false)->prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kReplied : kUsage;
  }
  try {
    if (status->parsed()) return ShowStatus(options);
    if (threads->parsed()) return ShowThreads(options);
    if (history->parsed()) return ShowHistory(options);
    if (check->parsed()) return CheckPlanFile(options);
    if (inhibit->parsed()) {
      options.command = inhibit->remaining();
      return Inhibited(options);
    }
    return listen->parsed() ? Listen(options) : Wait(options);
  } catch (const RequestError& error) {
    return Report(options, error);
  } catch (const std::exception& error) {
    std::cerr << "stubctl: " << error.what() << "\n";
    return kFailed;
  }
}

}  // namespace
}  // namespace stubdomain

int main(int argc, char** argv) { return stubdomain::Main(argc, argv); }
