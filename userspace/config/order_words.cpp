// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/order_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "userspace/config/command_line_help.h"
#include "userspace/endpoints/standing.h"

namespace ambbpf {
namespace {

constexpr auto kEndpoint =
    "Its address, or what it was found as, or the end of that: web-1 for /services/web/web-1";

}  // namespace

OrderWords::OrderWords(CLI::App& app)
    : drain_(add_verb(app, "drain", "Give an endpoint, or a service, no new connections")),
      enable_(
          add_verb(app, "enable", "Take back what was said of an endpoint or a service by hand")),
      reset_(add_verb(app, "reset", "End the open connections to an endpoint, or of a service")),
      set_(add_verb(app, "set", "Give an endpoint another weight")) {
  set_.add_option("weight", what_, "The only thing that can be set")
      ->type_name("weight")
      ->required();
  for (auto* verb : {&drain_, &enable_, &reset_, &set_}) {
    verb->add_option("SERVICE", service_, "As the configuration names it")
        ->type_name("SERVICE")
        ->required();
    auto& endpoint = *verb->add_option("ENDPOINT", endpoint_, kEndpoint)->type_name("ENDPOINT");
    if (verb == &set_) endpoint.required();
    verb->add_option("--admin", admin_,
                     "In the process with this admin socket only (default: in every one found)")
        ->envname("AMBBPF_ADMIN")
        ->type_name("PATH");
  }
  set_.add_option("N", weight_,
                  fmt::format("0 to {}; 0: no connections while there is another", kMostWeight))
      ->type_name("N")
      ->required();
  add_examples(drain_, {"drain web 10.0.0.1:80", "drain web web-1"});
  add_examples(enable_, {"enable web web-1", "enable web"});
  add_examples(reset_, {"reset web web-1"});
  add_examples(set_, {"set weight web web-1 3"});
}

CLI::App& OrderWords::add_verb(CLI::App& app, const char* name, const char* meaning) {
  return *app.add_subcommand(name, meaning)->group("Commands");
}

bool OrderWords::parsed() const {
  return drain_.parsed() || enable_.parsed() || reset_.parsed() || set_.parsed();
}

Result<OrderOptions> OrderWords::options() const {
  OrderOptions options{.admin = {},
                       .verb = set_.parsed()      ? "set"
                               : drain_.parsed()  ? "drain"
                               : enable_.parsed() ? "enable"
                                                  : "reset",
                       .service = service_,
                       .endpoint = endpoint_};
  if (!admin_.empty()) options.admin = admin_;
  if (!set_.parsed()) return options;
  if (what_ != "weight")
    return fail(fmt::format("set: it is the weight that can be set, not '{}'", what_));
  const auto* const end = weight_.data() + weight_.size();
  const auto [rest, error] = std::from_chars(weight_.data(), end, options.weight);
  if (error != std::errc{} || rest != end || options.weight > kMostWeight)
    return fail(fmt::format("set weight: '{}' is no number from 0 to {}", weight_, kMostWeight));
  return options;
}

}  // namespace ambbpf
