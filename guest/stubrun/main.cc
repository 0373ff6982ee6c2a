// stubrun: run a program, and let the machine be suspended while it waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "stubrun/program_file.h"
#include "version.h"

namespace stubdomain {
namespace {

constexpr char kLibrary[] = "libstubrun.so";
constexpr char kUsage[] =
    "Usage: stubrun [--socket PATH] [--] PROGRAM [ARGUMENT]...\n"
    "Run a program, and let the virtual machine be suspended while it waits "
    "for\n"
    "replies from the network.\n"
    "\n"
    "  --socket PATH   the agent's socket\n"
    "  --help          print this\n"
    "  --version       print the version\n"
    "\n"
    "Exit status: that of the program; 126 if it cannot be run, 127 if it is "
    "not found,\n"
    "125 if stubrun itself fails.\n";

enum ExitCode { kOwnFailure = 125, kCannotRun = 126, kNotFound = 127 };

// Beside this program in a build directory; else where it is installed.
std::string FindLibrary() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  for (const auto& directory :
       {self.parent_path(),
        self.parent_path().parent_path() / STUBRUN_LIBRARY_DIRECTORY}) {
    const auto path = directory / kLibrary;
    if (std::filesystem::exists(path, error)) return path;
  }
  return "";
}

[[noreturn]] void Fail(ExitCode code, const std::string& text) {
  std::fprintf(stderr, "stubrun: %s\n", text.c_str());
  std::exit(code);
}

int Run(char** command) {
  const std::string library = FindLibrary();
  if (library.empty()) {
    Fail(kOwnFailure, std::string(kLibrary) + " is not installed");
  }
  const char* search = std::getenv("PATH");
  const std::string path =
      FindProgram(command[0], search ? search : "/usr/bin:/bin");
  if (path.empty()) Fail(kNotFound, std::string(command[0]) + ": not found");
  if (IsStatic(path)) {
    std::fprintf(stderr,
                 "stubrun: %s is linked statically: it runs, but its waits are "
                 "not noticed; see stubrun(1)\n",
                 path.c_str());
  }
  const char* others = std::getenv("LD_PRELOAD");
  const std::string preload =
      others && *others ? library + ":" + others : library;
  setenv("LD_PRELOAD", preload.c_str(), 1);
  execvp(command[0], command);
  Fail(errno == ENOENT ? kNotFound : kCannotRun,
       std::string(command[0]) + ": " + std::strerror(errno));
}

int Main(int argc, char** argv) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    const std::string_view option = argv[i];
    if (option == "--") {
      i++;
      break;
    } else if (option == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    } else if (option == "--version") {
      std::puts("stubrun " STUBDOMAIN_VERSION);
      return 0;
    } else if (option == "--socket" && i + 1 < argc) {
      setenv("STUBDOMAIN_AGENT_SOCKET", argv[++i], 1);
    } else {
      Fail(kOwnFailure, std::string(option) + ": not an option");
    }
  }
  if (i >= argc) {
    std::fputs(kUsage, stderr);
    return kOwnFailure;
  }
  return Run(argv + i);
}

}  // namespace
}  // namespace stubdomain

int main(int argc, char** argv) { return stubdomain::Main(argc, argv); }
