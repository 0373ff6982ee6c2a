// libstubdomain-guest for C++20: see stubdomain-guest.h for what a wait is.
//
//     write(fd, request, length);
//     sdg::WaitFor(fd);
//     read(fd, ...);
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_HPP
#define STUBDOMAIN_GUEST_HPP

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "stubdomain-guest.h"

namespace sdg {

// A function of the library failed; the text is for a person.
class Error : public std::runtime_error {
 public:
  explicit Error(int code)
      : std::runtime_error(sdg_error_text()),
        code_(static_cast<sdg_error>(code)) {}
  sdg_error code() const { return code_; }

 private:
  sdg_error code_;
};

struct Options {
  std::string plan = "";                 // JSON; empty: the first byte
  std::chrono::milliseconds timeout{0};  // 0: no limit
  bool suspend = true;                   // propose to suspend the machine
  uint32_t thread = 0;                   // see Registration
  uint32_t importance = 0;               // of the reply, 0 to 5
  std::chrono::milliseconds elapsed{0};  // since the program began to wait
  sdg_depth depth = SDG_DEPTH_DEFAULT;   // how deep the machine may sleep
  std::chrono::milliseconds evict_delay{0};  // 0: as the host says
  std::chrono::milliseconds expected{0};  // the reply; 0: it is not known
  std::string request_class = "";         // by which reply times are learned
};

struct End {
  sdg_outcome outcome;
  uint64_t bytes;
  size_t socket;  // index of the socket that it is about
};

// Memory for a reply, see sdg_wait_into().
class Buffer {
 public:
  explicit Buffer(size_t size) {
    if (const int error = sdg_buffer_make(size, &buffer_)) throw Error(error);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { sdg_buffer_free(&buffer_); }
  const sdg_buffer& get() const { return buffer_; }
  std::span<std::byte> data() const {
    return {static_cast<std::byte*>(buffer_.data), buffer_.size};
  }

 private:
  sdg_buffer buffer_{};
};

namespace internal {

// Holds as long as `options` does.
inline sdg_options ToC(const Options& options) {
  return {sizeof(sdg_options),
          options.plan.empty() ? nullptr : options.plan.c_str(),
          static_cast<uint32_t>(options.timeout.count()),
          options.suspend ? 0 : SDG_NO_SUSPEND,
          options.thread,
          options.importance,
          static_cast<uint32_t>(options.elapsed.count()),
          static_cast<uint32_t>(options.depth),
          static_cast<uint32_t>(options.evict_delay.count()),
          static_cast<uint32_t>(options.expected.count()),
          options.request_class.c_str()};
}

// A descriptor that holds something as long as it is open.
class Hold {
 public:
  explicit Hold(int fd) : fd_(fd) {
    if (fd < 0) throw Error(fd);
  }
  Hold(Hold&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Hold& operator=(Hold&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Hold() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_;
};

}  // namespace internal

// A thread on the list of those that count, see sdg_register().
class Registration {
 public:
  explicit Registration(const std::string& name = "")
      : hold_(sdg_register(name.c_str(), &thread_)) {}
  // For Options.
  uint32_t thread() const { return thread_; }

 private:
  uint32_t thread_ = 0;
  internal::Hold hold_;
};

// While there is one, no wait suspends the machine.
class Inhibit {
 public:
  Inhibit() : hold_(sdg_inhibit()) {}

 private:
  internal::Hold hold_;
};

// A wait that goes on until its end was taken, or it is dropped.
class Wait {
 public:
  // Throws Error, as everything here.
  explicit Wait(std::span<const int> fds, const Options& options = {}) {
    const sdg_options c = internal::ToC(options);
    wait_ = sdg_wait_begin(fds.data(), fds.size(), &c);
    if (wait_ < 0) throw Error(wait_);
  }
  explicit Wait(int fd, const Options& options = {})
      : Wait(std::span<const int>(&fd, 1), options) {}
  Wait(Wait&& other) noexcept : wait_(std::exchange(other.wait_, -1)) {}
  Wait& operator=(Wait&& other) noexcept {
    std::swap(wait_, other.wait_);
    return *this;
  }
  ~Wait() {
    if (wait_ >= 0) close(wait_);
  }

  // To poll for reading.
  int fd() const { return wait_; }
  // The end if there is one; the wait is over then.
  std::optional<End> Poll() {
    sdg_end end{sizeof(end), SDG_REPLIED, 0, 0, 0};
    const int error = sdg_wait_poll(wait_, &end);
    if (error == SDG_PENDING) return std::nullopt;
    wait_ = -1;
    if (error != SDG_OK) throw Error(error);
    return End{end.outcome, end.bytes, end.socket};
  }
  // The end, when it comes.
  End Get() {
    while (true) {
      if (const auto end = Poll()) return *end;
      pollfd entry{wait_, POLLIN, 0};
      poll(&entry, 1, -1);
    }
  }
  // From any thread, while another is in Get(): it returns SDG_CANCELLED.
  void Cancel() {
    if (const int error = sdg_wait_cancel(wait_)) throw Error(error);
  }

 private:
  int wait_ = -1;
};

// Waits, and blocks until that ends. UDP and listening sockets as well.
inline End WaitFor(std::span<const int> fds, const Options& options = {}) {
  const sdg_options c = internal::ToC(options);
  sdg_end end{sizeof(end), SDG_REPLIED, 0, 0, 0};
  if (const int error = sdg_wait_any(fds.data(), fds.size(), &c, &end)) {
    throw Error(error);
  }
  return {end.outcome, end.bytes, end.socket};
}
inline End WaitFor(int fd, const Options& options = {}) {
  return WaitFor(std::span<const int>(&fd, 1), options);
}

// The same, with a buffer. In `reply`: what of the reply is in it; what follows
// is in the socket.
inline End WaitInto(int fd, const Buffer& buffer,
                    std::span<const std::byte>* reply,
                    const Options& options = {}) {
  const sdg_options c = internal::ToC(options);
  sdg_end end{sizeof(end), SDG_REPLIED, 0, 0, 0};
  if (const int error = sdg_wait_into(fd, &buffer.get(), &c, &end)) {
    throw Error(error);
  }
  *reply = buffer.data().first(end.buffered);
  return {end.outcome, end.bytes, end.socket};
}

}  // namespace sdg

#endif  // STUBDOMAIN_GUEST_HPP
