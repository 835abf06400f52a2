// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/verb_words.h"

#include <algorithm>

namespace ambbpf {
namespace {

constexpr ExitStatus kWrongCommandLine{2, "The command line is wrong."};

constexpr ExitStatus kServes[] = {
    {0, "It was asked to stop, and has."},
    {1, "What it needs cannot be had: a port, the admin socket, or the engine that was asked for."},
    kWrongCommandLine};
constexpr ExitStatus kRuns[] = {
    {0, "It was asked to stop, and has."},
    {1, "What it needs cannot be had: a port, the admin socket, or the engine that was asked for."},
    {2, "The command line is wrong, or the file has mistakes; each is a line."}};
constexpr ExitStatus kChecks[] = {
    {0, "The file is in order."}, {1, "It has mistakes."}, kWrongCommandLine};
constexpr ExitStatus kReloads[] = {
    {0, "The file is in force."}, {1, "Nothing has changed; it says why."}, kWrongCommandLine};
constexpr ExitStatus kShows[] = {{0, "All is well; with --ready: all are ready."},
                                 {1, "Something is degraded; with --ready: one is not ready."},
                                 kWrongCommandLine,
                                 {3, "Nothing runs."},
                                 {4, "A process did not answer."}};
constexpr ExitStatus kLists[] = {{0, "All have answered."},
                                 {1, "There is no such service; it names those that there are."},
                                 kWrongCommandLine,
                                 {3, "Nothing runs."},
                                 {4, "A process did not answer."}};
constexpr ExitStatus kTells[] = {{0, "They were shown; with --follow: it was interrupted."},
                                 {1, "With --follow: several processes run; --admin names one."},
                                 kWrongCommandLine,
                                 {3, "Nothing runs."},
                                 {4, "A process did not answer."}};
constexpr ExitStatus kExplains[] = {{0, "It was explained."},
                                    {1, "No process has such a service; it says which there are."},
                                    kWrongCommandLine,
                                    {3, "Nothing runs."},
                                    {4, "A process did not answer."}};
constexpr ExitStatus kOrders[] = {
    {0, "It is done."},
    {1, "No process has such a service, or endpoint; it says which there are."},
    kWrongCommandLine,
    {3, "Nothing runs."},
    {4, "A process did not answer."}};
constexpr ExitStatus kTries[] = {
    {0, "An engine works, though it may not be the best."}, {1, "None works."}, kWrongCommandLine};
constexpr ExitStatus kCleans[] = {{0, "Nothing is left of processes that are gone."},
                                  {1, "Something could not be removed."},
                                  kWrongCommandLine};
constexpr ExitStatus kWrites[] = {
    {0, "All was written."}, {1, "A file could not be written."}, kWrongCommandLine};
constexpr ExitStatus kPrints[] = {{0, "Always."}, kWrongCommandLine};

constexpr VerbWords kVerbs[] = {
    {"proxy",
     "Listens on each PORT and forwards every connection to a current endpoint of its SERVICE, as "
     "etcd or Docker has them at that moment. While a source is away, the last good set stays in "
     "force.\n"
     "It is the short form of a file for ambbpf run with a service for each SERVICE.",
     kServes},
    {"forward",
     "Listens on one port and forwards every connection to HOST:PORT. A name is resolved again "
     "when its answer has aged, and its addresses are taken in turn.\n"
     "It is the short form of a file for ambbpf run with one service.",
     kServes},
    {"register",
     "Keeps the published PORT of CONTAINER in etcd as an endpoint of SERVICE while the container "
     "runs and is healthy; or, with --all, what the labels of the containers say. A key outlives "
     "this process by no more than --ttl.\n"
     "It is the short form of a file for ambbpf run with one registration.",
     kServes},
    {"run",
     "Does what the configuration file asks for: services, registrations, or both. SIGHUP and "
     "ambbpf reload read the file again and put the difference in force; open connections of what "
     "stays feel nothing.",
     kRuns},
    {"check",
     "Reads the file and those that it includes, as ambbpf run would. Every mistake is a line with "
     "file, line, key and, for a misspelt key, what it may have meant. Nothing is opened or asked.",
     kChecks},
    {"reload",
     "Asks a running ambbpf run to read its file again and to put the difference in force. Prints "
     "a line for each thing that changed. A file with a mistake, or a port that cannot be had, "
     "changes nothing.",
     kReloads},
    {"status",
     "Asks every running process of this machine, through its admin socket, and shows services, "
     "endpoints, sources with their age and last error, connections, and the bytes moved by the "
     "kernel and by user space.\n"
     "With --watch it goes on, in the whole of a terminal, or elsewhere as a text for each look: "
     "connections and bytes a second by service, what the kernel moves of them, what is wrong. A "
     "process that ends is missed, and shown again when it is back. Colours are left out where "
     "NO_COLOR is set; a terminal with TERM=dumb gets texts. It ends by the signal that ends it.",
     kShows},
    {"connections",
     "Asks every running process of this machine, through its admin socket, and shows its open "
     "connections, those with the highest figures first: service and age, and for each end its "
     "address, the bytes it has sent and sends a second, the round trip and how many segments had "
     "to be sent to it again, and who passes on what it sends: kernel, splice or copy, and why.\n"
     "Rates are over one second: the process looks at its connections twice, so it takes that "
     "long. It looks at some at a time, and those that it serves do not wait for it.\n"
     "Direct connections (zero hop) do not go through the process, so they are not listed; it says "
     "how many there are, where it can know.",
     kLists},
    {"events",
     "Shows the last events of every running process, a line each: when, of which service, what "
     "came of what, such as a key of etcd and its revision, and how long it took to be in force. "
     "A process keeps its last 1000 in memory; when there is no room, the oldest of the service "
     "that has the most goes.\n"
     "With --follow it goes on with new ones of the only process, or of that with --admin, also "
     "after its restart. What could not be kept for it is told as a number of lost events.",
     kTells},
    {"why",
     "Shows who is next for a connection of SERVICE, and who after it; whom the choice passes "
     "over, and why: ejected after failed connects, weight 0, a higher priority or a backup, "
     "another zone, removed from its source, rejected. Also where consumers on this host go, and "
     "what an empty set would mean.\n"
     "Where the policy goes by load, it shows the connections of each, and who is next as it is "
     "now; by source, that depends on the client.",
     kExplains},
    {"drain",
     "From now on ENDPOINT gets no new connections, whatever becomes of the others; those that are "
     "open go on. Without ENDPOINT it is the whole service, with endpoints that come: clients are "
     "held, then reset.\n"
     "It lasts until ambbpf enable, until the file is read again, or until the process ends. An "
     "endpoint that goes and comes back is still drained. Status shows who has said so, and when.",
     kOrders},
    {"enable",
     "Takes back what ambbpf drain and ambbpf set weight have said of ENDPOINT; without ENDPOINT, "
     "of all the service. It is as its sources say again; one that was ejected after failed "
     "connects still is.",
     kOrders},
    {"reset",
     "Ends the connections to ENDPOINT that are open now, also direct ones; both ends are reset. "
     "Without ENDPOINT, all of the service. New ones come as before: to have none, drain it first.",
     kOrders},
    {"set",
     "Gives ENDPOINT another weight in place of what its source says: how many connections it "
     "gets, in comparison to the others.\n"
     "It lasts until ambbpf enable, until the file is read again, or until the process ends. "
     "Status "
     "shows who has said so, and when.",
     kOrders},
    {"doctor",
     "Tries each engine with a few loopback connections of its own. Prints what it found, which "
     "engine auto takes, and what a refused one needs.",
     kTries},
    {"cleanup",
     "Removes from the kernel the programs of zero hop that processes have left which were killed, "
     "where none was started again.",
     kCleans},
    {"reference",
     "Prints all settings: keys of the file, options, variables, defaults. With --into it writes "
     "the manual pages and the completions of shells below a directory instead: man/, bash/, zsh/ "
     "and fish/.",
     kWrites},
    {"version",
     "Prints the version, the commit it was built from, the compiler, the libraries with their "
     "versions (those of libbpf and libcurl as they are loaded), and the kernel programs that the "
     "binary carries, with the places they are attached to.",
     kPrints},
};

}  // namespace

const VerbWords* words_of_verb(std::string_view verb) {
  const auto* const found = std::ranges::find(kVerbs, verb, &VerbWords::verb);
  return found == std::end(kVerbs) ? nullptr : found;
}

}  // namespace ambbpf
