// The program that is to be run.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/program_file.h"

#include <elf.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace stubdomain {

std::string FindProgram(const std::string& name, const std::string& search) {
  if (name.find('/') != name.npos) return name;
  std::istringstream directories(search);
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    const std::string path = (directory.empty() ? "." : directory) + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

bool IsStatic(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header;
  if (!file.read(reinterpret_cast<char*>(&header), sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return false;
  }
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr segment;
    if (!file.read(reinterpret_cast<char*>(&segment), sizeof(segment))) {
      return false;
    }
    // Whoever asks for a loader can be preloaded into.
    if (segment.p_type == PT_INTERP) return false;
  }
  return true;
}

}  // namespace stubdomain
