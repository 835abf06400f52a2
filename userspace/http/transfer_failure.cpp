// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/transfer_failure.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

std::string words_of(int error) { return std::system_category().message(error); }

// What the system says to reading the file; `otherwise` where it does not mind.
std::string trouble_with(const std::string& file, std::string otherwise) {
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return opened.get() < 0 ? words_of(errno) : otherwise;
}

std::string key_failure(const HttpAccess& access) {
  return fmt::format("private key {}: {}", access.key,
                     trouble_with(access.key, fmt::format("not an unencrypted PEM key, or not that "
                                                          "of the certificate {}",
                                                          access.certificate)));
}

// In TLS 1.3 a server looks at the client's certificate after our side of the handshake is done:
// its refusal reaches us as an alert, or as a mere reset.
bool may_be_about_our_certificate(CURL* easy, CURLcode result) {
  if (result != CURLE_SEND_ERROR && result != CURLE_RECV_ERROR && result != CURLE_GOT_NOTHING &&
      result != CURLE_SSL_CONNECT_ERROR)
    return false;
  const char* scheme = nullptr;
  long new_connections = 0;
  curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme);
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &new_connections);
  return scheme && ::strcasecmp(scheme, "https") == 0 && new_connections > 0;
}

}  // namespace

std::string transfer_failure(CURL* easy, CURLcode result, const std::string& words,
                             const HttpAccess& access, bool answered) {
  if (result == CURLE_SSL_CACERT_BADFILE && !access.ca.empty())
    return fmt::format("CA file {}: {}", access.ca,
                       trouble_with(access.ca, "no certificate in PEM in it"));
  if (result == CURLE_SSL_CERTPROBLEM && words.find("private key") != std::string::npos)
    return key_failure(access);
  if (result == CURLE_SSL_CERTPROBLEM && !access.certificate.empty())
    return fmt::format("certificate {}: {}", access.certificate,
                       trouble_with(access.certificate, "no certificate in PEM in it"));
  if (result == CURLE_COULDNT_CONNECT && !access.unix_socket.empty()) {
    long error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    return fmt::format(
        "unix socket {}: {}{}", access.unix_socket, words_of(static_cast<int>(error)),
        error == EACCES ? "; who may use Docker's is in the group docker (in a unit: "
                          "SupplementaryGroups=docker)"
                        : "");
  }
  std::string said = words.empty() ? curl_easy_strerror(result) : words;
  if (answered || !may_be_about_our_certificate(easy, result)) return said;
  return fmt::format("{} ({})", said,
                     access.certificate.empty()
                         ? "perhaps the server wants a client certificate"
                         : "perhaps the server refuses the client certificate");
}

}  // namespace ambbpf
