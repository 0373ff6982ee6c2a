// Memory that a program shares with the agent, for a reply.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/pinned_buffer.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "hw/stubdomain/regs.h"
#include "protocol/messages.h"

namespace stubdomain {
namespace {

constexpr size_t kPage = STUBDOMAIN_BUFFER_PAGE;

[[noreturn]] void Throw(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

size_t SizeFor(uint32_t length) {
  const size_t size = STUBDOMAIN_BUFFER_DATA + size_t{length};
  return (size + kPage - 1) / kPage * kPage;
}

}  // namespace

std::optional<uint64_t> PhysicalAddress(const void* page) {
  constexpr uint64_t kPresent = uint64_t{1} << 63;
  constexpr uint64_t kFrame = (uint64_t{1} << 55) - 1;
  if (sysconf(_SC_PAGESIZE) != kPage) return std::nullopt;
  const UniqueFd map(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  uint64_t entry = 0;
  const auto at = static_cast<off_t>(reinterpret_cast<uintptr_t>(page) / kPage *
                                     sizeof(entry));
  if (!map || pread(map.get(), &entry, sizeof(entry), at) != sizeof(entry) ||
      !(entry & kPresent) || !(entry & kFrame)) {
    return std::nullopt;
  }
  return (entry & kFrame) * kPage;
}

PinnedBuffer::PinnedBuffer(int memory, uint32_t length,
                           const Translate& translate)
    : length_(length), size_(SizeFor(length)) {
  const int seals = fcntl(memory, F_GET_SEALS);
  struct stat status;
  // Else the program could have the agent run into the end of it.
  if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(memory, &status) != 0 ||
      static_cast<uint64_t>(status.st_size) < size_) {
    throw RequestError(Reason::kInvalid,
                       "'buffer': expected a memfd of " +
                           std::to_string(size_) +
                           " bytes that is sealed against shrinking");
  }
  void* mapped =
      mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (mapped == MAP_FAILED) {
    throw RequestError(Reason::kInvalid,
                       "'buffer': the memory cannot be written to");
  }
  pages_ = static_cast<uint8_t*>(mapped);
  try {
    Mark();
    Pin();
    for (size_t at = 0; at < size_; at += kPage) {
      const auto address = translate(pages_ + at);
      if (!address) {
        throw std::runtime_error("the kernel tells no physical address");
      }
      addresses_.push_back(*address);
    }
  } catch (...) {
    munmap(pages_, size_);
    throw;
  }
}

PinnedBuffer::~PinnedBuffer() {
  // Not over what has taken its place: the beginning of a reply's count.
  uint64_t mine;
  std::memcpy(&mine, nonce_.data(), sizeof(mine));
  std::atomic_ref(*reinterpret_cast<uint64_t*>(pages_))
      .compare_exchange_strong(mine, 0);
  munmap(pages_, size_);
}

void PinnedBuffer::Mark() {
  if (getrandom(nonce_.data(), nonce_.size(), 0) !=
      static_cast<ssize_t>(nonce_.size())) {
    Throw("getrandom");
  }
  nonce_[0] |= 1;  // what is taken back is zero
  for (size_t i = 0; i * kPage < size_; i++) {
    uint8_t* page = pages_ + i * kPage;
    const uint32_t index = htole32(static_cast<uint32_t>(i));
    std::memcpy(page, nonce_.data(), nonce_.size());
    std::memcpy(page + STUBDOMAIN_BUFFER_INDEX, &index, sizeof(index));
  }
}

void PinnedBuffer::Pin() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) Throw("pipe");
  pipe_[0].Reset(ends[0]);
  pipe_[1].Reset(ends[1]);
  // One place for each page.
  if (fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(size_)) < 0) {
    Throw("F_SETPIPE_SZ");
  }
  for (size_t done = 0; done < size_;) {
    const iovec part{pages_ + done, size_ - done};
    const ssize_t count = vmsplice(ends[1], &part, 1, SPLICE_F_NONBLOCK);
    if (count <= 0) Throw("vmsplice");
    done += static_cast<size_t>(count);
  }
}

nlohmann::json PinnedBuffer::Message() const {
  std::string nonce;
  for (const uint8_t byte : nonce_) {
    constexpr char kDigits[] = "0123456789abcdef";
    nonce += kDigits[byte >> 4];
    nonce += kDigits[byte & 15];
  }
  return {{"nonce", nonce}, {"pages", addresses_}, {"length", length_}};
}

}  // namespace stubdomain
