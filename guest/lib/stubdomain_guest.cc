// libstubdomain-guest: the C interface.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "hw/stubdomain/regs.h"
#include "lib/client.h"
#include "protocol/json_reader.h"
#include "stubdomain-guest.h"

#define SDG_EXPORT __attribute__((visibility("default")))

namespace stubdomain {
namespace {

// Not a std::string: setting it must not fail, nor run at a thread's end.
constinit thread_local std::array<char, 512> error_text{};

sdg_error Fail(sdg_error error, std::string_view text) {
  const size_t length = std::min(text.size(), error_text.size() - 1);
  std::memcpy(error_text.data(), text.data(), length);
  error_text[length] = '\0';
  return error;
}

sdg_error ErrorOf(Reason reason) {
  switch (reason) {
    case Reason::kInvalid:
      return SDG_INVALID;
    case Reason::kDenied:
      return SDG_DENIED;
    case Reason::kBusy:
      return SDG_BUSY;
    case Reason::kRefused:
      return SDG_REFUSED;
    case Reason::kDevice:
      return SDG_DEVICE;
  }
  return SDG_DEVICE;
}

// Runs `body` and turns what it throws into an error.
template <typename Body>
int Guard(const Body& body) noexcept {
  try {
    return body();
  } catch (const NoAgent& error) {
    return Fail(SDG_NO_AGENT, error.what());
  } catch (const RequestError& error) {
    return Fail(ErrorOf(error.reason()), error.what());
  } catch (const JsonError& error) {
    return Fail(SDG_DEVICE, error.what());
  } catch (const std::exception& error) {
    return Fail(SDG_SYSTEM, error.what());
  }
}

// Until the peer has acknowledged all that was written. The agent checks it
// again, and says what is wrong.
void AwaitAcknowledged(int fd) {
  constexpr int kStepMs = 2;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(SDG_DETACH_MS);
  int bytes = 0;
  while (ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes != 0 &&
         std::chrono::steady_clock::now() < end) {
    poll(nullptr, 0, kStepMs);
  }
}

// The caller's structure, of which it may know a part only.
template <typename Struct>
Struct Known(const Struct* theirs) {
  Struct known{};
  if (theirs != nullptr) {
    std::memcpy(&known, theirs, std::min(theirs->size, sizeof(known)));
  }
  return known;
}

// Of the memory of a buffer, in whole pages.
size_t SizeOf(size_t length) {
  const size_t size = STUBDOMAIN_BUFFER_DATA + length;
  return (size + STUBDOMAIN_BUFFER_PAGE - 1) / STUBDOMAIN_BUFFER_PAGE *
         STUBDOMAIN_BUFFER_PAGE;
}

Client StartWait(std::span<const int> fds, const char* plan_json,
                 uint32_t timeout_ms, WaitRequest request = {}) {
  const bool detach = request.detach;
  request.timeout_ms = timeout_ms;
  if (plan_json != nullptr) {
    try {
      request.plan = ParseJsonObject(plan_json);
    } catch (const JsonError& error) {
      throw RequestError(Reason::kInvalid,
                         std::string("the plan: ") + error.what());
    }
  }
  if (fds.empty() || fds.size() > kMaxSockets) {
    throw RequestError(
        Reason::kInvalid,
        "expected 1 to " + std::to_string(kMaxSockets) + " sockets");
  }
  if (std::any_of(fds.begin(), fds.end(), [](int fd) { return fd < 0; })) {
    throw RequestError(Reason::kInvalid, "the socket is not a descriptor");
  }
  Client client(AgentSocket());
  if (detach) AwaitAcknowledged(fds.front());
  client.Send(request, fds);
  return client;
}

WaitRequest RequestOf(const sdg_options& known) {
  if (known.flags & ~SDG_NO_SUSPEND) {
    throw RequestError(Reason::kInvalid, "the flags are not known");
  }
  WaitRequest request;
  request.suspend = !(known.flags & SDG_NO_SUSPEND);
  request.thread = known.thread;
  request.importance = known.importance;
  request.elapsed_ms = known.elapsed_ms;
  constexpr const char* kDepths[] = {"", "idle", "evict", "auto"};
  if (known.depth >= std::size(kDepths)) {
    throw RequestError(Reason::kInvalid, "the depth is not known");
  }
  request.depth = kDepths[known.depth];
  if (known.evict_delay_ms != 0) request.evict_delay_ms = known.evict_delay_ms;
  request.expected_ms = known.expected_ms;
  if (known.request_class != nullptr) {
    request.request_class = known.request_class;
  }
  return request;
}

Client BeginWait(std::span<const int> fds, const sdg_options* options,
                 uint32_t buffer = 0) {
  const sdg_options known = Known(options);
  WaitRequest request = RequestOf(known);
  request.buffer = buffer;
  return StartWait(fds, known.plan_json, known.timeout_ms, std::move(request));
}

void TakeEnd(const Ended& ended, sdg_end* end, uint64_t buffered = 0) {
  if (end == nullptr) return;
  const sdg_end whole{end->size, static_cast<sdg_outcome>(ended.outcome),
                      ended.bytes, ended.socket.value_or(0), buffered};
  std::memcpy(end, &whole, std::min(end->size, sizeof(whole)));
}

// SDG_PENDING: `answer` was not the last one.
int TakeResult(const Answer& answer, sdg_result* result) {
  const auto* ended = std::get_if<Ended>(&answer);
  if (ended == nullptr) return SDG_PENDING;
  if (result != nullptr) {
    result->outcome = static_cast<sdg_outcome>(ended->outcome);
    result->bytes = ended->bytes;
  }
  return SDG_OK;
}

// Both may be told by the host while no instruction of this program runs.
struct Offer {
  explicit Offer(const sdg_buffer& buffer)
      : begin(static_cast<uint8_t*>(buffer.data) - STUBDOMAIN_BUFFER_DATA) {
    count().store(0);
  }
  // From here on nothing more is written there. Returns how much was.
  uint32_t Withdraw() const {
    std::atomic_ref(*reinterpret_cast<uint64_t*>(begin)).store(0);
    return count().load();
  }
  std::atomic_ref<uint32_t> count() const {
    return std::atomic_ref(
        *reinterpret_cast<uint32_t*>(begin + STUBDOMAIN_BUFFER_COUNT));
  }

  uint8_t* const begin;
};

int WaitInto(int fd, const sdg_buffer* buffer, const sdg_options* options,
             sdg_end* end) {
  if (buffer == nullptr || buffer->data == nullptr || end == nullptr ||
      end->size < offsetof(sdg_end, buffered) + sizeof(end->buffered)) {
    throw RequestError(Reason::kInvalid,
                       "there is no buffer, or nowhere to say what is in it");
  }
  const Offer offer(*buffer);
  const int fds[] = {fd, buffer->memory};
  Ended ended{std::nullopt, Outcome::kReplied, 0};
  try {
    ended = BeginWait(fds, options, static_cast<uint32_t>(buffer->size))
                .ReceiveEnd({&fd, 1});
  } catch (...) {
    // Nobody says so, but the reply may be there.
    ended.bytes = offer.Withdraw();
    if (ended.bytes == 0) throw;
  }
  TakeEnd(ended, end, offer.Withdraw());
  return SDG_OK;
}

int MakeBuffer(size_t size, sdg_buffer* buffer) {
  if (size == 0 || size > SDG_MAX_BUFFER) {
    throw RequestError(
        Reason::kInvalid,
        "expected 1 to " + std::to_string(SDG_MAX_BUFFER) + " bytes");
  }
  UniqueFd memory(
      memfd_create("stubdomain-reply", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const size_t whole = SizeOf(size);
  void* mapped = MAP_FAILED;
  if (memory && ftruncate(memory.get(), static_cast<off_t>(whole)) == 0 &&
      fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0) {
    mapped = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED,
                  memory.get(), 0);
  }
  if (mapped == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(),
                            "memory for a reply");
  }
  *buffer = {static_cast<uint8_t*>(mapped) + STUBDOMAIN_BUFFER_DATA, size,
             memory.Release()};
  return SDG_OK;
}

int WaitDetached(int* fd, const char* plan_json, uint32_t timeout_ms,
                 sdg_result* result) {
  WaitRequest request;
  request.detach = true;
  Client client = StartWait({fd, 1}, plan_json, timeout_ms, std::move(request));
  while (true) {
    UniqueFd socket;
    const Answer answer = client.Receive(&socket);
    const int taken = TakeResult(answer, result);
    if (taken == SDG_PENDING) {
      // The wait has begun: nothing is connected to it any more.
      close(std::exchange(*fd, -1));
      continue;
    }
    if (*fd < 0) {
      if (!socket) throw NoAgent("the agent passed no socket");
      *fd = socket.Release();
    }
    return taken;
  }
}

static_assert(kMaxSockets == SDG_MAX_SOCKETS);
static_assert(kMaxBuffer == SDG_MAX_BUFFER);
static_assert(static_cast<int>(Outcome::kReplied) == SDG_REPLIED &&
              static_cast<int>(Outcome::kClosed) == SDG_CLOSED &&
              static_cast<int>(Outcome::kReset) == SDG_RESET &&
              static_cast<int>(Outcome::kTimeout) == SDG_TIMEOUT &&
              static_cast<int>(Outcome::kCancelled) == SDG_CANCELLED);

}  // namespace
}  // namespace stubdomain

using stubdomain::Client;
using stubdomain::Guard;

SDG_EXPORT int sdg_wait(int fd, const char* plan_json, uint32_t timeout_ms,
                        sdg_result* result) {
  return Guard([&] {
    Client client = stubdomain::StartWait({&fd, 1}, plan_json, timeout_ms);
    return stubdomain::TakeResult(client.ReceiveEnd({&fd, 1}), result);
  });
}

SDG_EXPORT int sdg_wait_detached(int* fd, const char* plan_json,
                                 uint32_t timeout_ms, sdg_result* result) {
  return Guard([&] {
    return stubdomain::WaitDetached(fd, plan_json, timeout_ms, result);
  });
}

SDG_EXPORT int sdg_wait_start(int fd, const char* plan_json,
                              uint32_t timeout_ms) {
  return Guard([&] {
    Client client = stubdomain::StartWait({&fd, 1}, plan_json, timeout_ms);
    return client.Release().Release();
  });
}

SDG_EXPORT int sdg_wait_finish(int wait, sdg_result* result) {
  return Guard([&] {
    Client client{stubdomain::UniqueFd(wait)};
    while (const auto answer = client.TryReceive()) {
      const int taken = stubdomain::TakeResult(*answer, result);
      if (taken != SDG_PENDING) return taken;
    }
    // The wait goes on, and so the descriptor stays the caller's.
    client.Release().Release();
    return static_cast<int>(SDG_PENDING);
  });
}

SDG_EXPORT int sdg_wait_begin(const int* fds, size_t count,
                              const sdg_options* options) {
  return Guard([&] {
    return stubdomain::BeginWait({fds, count}, options).Release().Release();
  });
}

SDG_EXPORT int sdg_wait_poll(int wait, sdg_end* end) {
  return Guard([&] {
    Client client{stubdomain::UniqueFd(wait)};
    while (const auto answer = client.TryReceive()) {
      if (const auto* ended = std::get_if<stubdomain::Ended>(&*answer)) {
        stubdomain::TakeEnd(*ended, end);
        return static_cast<int>(SDG_OK);
      }
    }
    // The wait goes on, and so the descriptor stays the caller's.
    client.Release().Release();
    return static_cast<int>(SDG_PENDING);
  });
}

SDG_EXPORT int sdg_wait_end(int wait, sdg_end* end) {
  return Guard([&] {
    Client client{stubdomain::UniqueFd(wait)};
    stubdomain::TakeEnd(client.ReceiveEnd({}), end);
    return static_cast<int>(SDG_OK);
  });
}

SDG_EXPORT int sdg_wait_cancel(int wait) {
  return Guard([&] {
    // It stays the waiting thread's.
    stubdomain::SendCancel(wait);
    return static_cast<int>(SDG_OK);
  });
}

SDG_EXPORT int sdg_wait_any(const int* fds, size_t count,
                            const sdg_options* options, sdg_end* end) {
  return Guard([&] {
    Client client = stubdomain::BeginWait({fds, count}, options);
    stubdomain::TakeEnd(client.ReceiveEnd({fds, count}), end);
    return static_cast<int>(SDG_OK);
  });
}

SDG_EXPORT int sdg_buffer_make(size_t size, sdg_buffer* buffer) {
  return Guard([&] { return stubdomain::MakeBuffer(size, buffer); });
}

SDG_EXPORT void sdg_buffer_free(sdg_buffer* buffer) {
  if (buffer->data == nullptr) return;
  munmap(static_cast<uint8_t*>(buffer->data) - STUBDOMAIN_BUFFER_DATA,
         stubdomain::SizeOf(buffer->size));
  close(buffer->memory);
  *buffer = {nullptr, 0, -1};
}

SDG_EXPORT int sdg_wait_into(int fd, const sdg_buffer* buffer,
                             const sdg_options* options, sdg_end* end) {
  return Guard([&] { return stubdomain::WaitInto(fd, buffer, options, end); });
}

SDG_EXPORT int sdg_register(const char* name, uint32_t* thread) {
  return Guard([&] {
    Client client(stubdomain::AgentSocket());
    client.Send(stubdomain::RegisterRequest{name ? name : ""});
    const auto answer = client.Receive();
    const auto* registered = std::get_if<stubdomain::Registered>(&answer);
    if (registered == nullptr) {
      throw stubdomain::JsonError("the agent named no thread");
    }
    *thread = registered->thread;
    return client.Release().Release();
  });
}

SDG_EXPORT int sdg_inhibit(void) {
  return Guard([&] {
    return stubdomain::Inhibit(stubdomain::AgentSocket()).Release().Release();
  });
}

SDG_EXPORT int sdg_status(char* buffer, size_t size) {
  return Guard([&] {
    const std::string text =
        stubdomain::QueryStatus(stubdomain::AgentSocket()).dump();
    if (size > 0) {
      const size_t length = std::min(text.size(), size - 1);
      std::memcpy(buffer, text.data(), length);
      buffer[length] = '\0';
    }
    return static_cast<int>(text.size());
  });
}

SDG_EXPORT const char* sdg_error_text(void) {
  return stubdomain::error_text.data();
}
