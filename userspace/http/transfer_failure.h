// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <curl/curl.h>

#include <string>

#include "userspace/http/http_client.h"

namespace ambbpf {

// Why the transfer failed, for an error's line. libcurl's own words are kept where they say it; a
// file or a socket that is the reason is named with what is wrong with it. `words` is libcurl's
// error buffer; `answered`: something of an answer had arrived.
std::string transfer_failure(CURL* easy, CURLcode result, const std::string& words,
                             const HttpAccess& access, bool answered);

}  // namespace ambbpf
