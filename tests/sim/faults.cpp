#include "sim/faults.hpp"
#include <array>

namespace deprov::test::sim {

namespace {
constexpr ConnectorFault no_c = ConnectorFault::none;
constexpr StoreFault no_s = StoreFault::none;
constexpr std::array<Fault, 26> faults{{
    {"no_grants_fence", "commits do not compare what was read of a subject", StoreFault::no_grants_fence},
    {"no_intent_fence", "a step is sent for an intent that is not the newest", StoreFault::no_intent_fence},
    {"no_hold_fence", "a step is sent although a hold has opened", StoreFault::no_hold_fence},
    {"sent_not_recorded", "the record that a request leaves gets lost", StoreFault::sent_not_recorded},
    {"sent_not_durable", "a request leaves before its record is stored", StoreFault::sent_not_durable},
    {"answers_early", "the IdP is told that something is done which is not stored", StoreFault::answers_early},
    {"lookup_says_yes", "a commit of unknown outcome counts as done", StoreFault::lookup_says_yes},
    {"guard_not_counted", "nothing is reserved in the guard's counters", StoreFault::guard_not_counted},
    {"due_lost", "evaluations that settle are not stored", StoreFault::due_lost},
    {"work_lost", "what is left of a large request is not stored", StoreFault::work_lost},
    {"job_lost", "jobs that end access are not stored", StoreFault::job_lost},
    {"stop_lost", "the kill switch is not stored", StoreFault::stop_lost},
    {"no_standing_fence", "a step is sent although another engine was told to stop",
     StoreFault::no_standing_fence},
    {"record_edited", "an activity record is edited afterwards", StoreFault::record_edited},
    {"calls_twice", "a connector sends every change twice", no_s, ConnectorFault::calls_twice},
    {"wrong_account", "a connector disables another account", no_s, ConnectorFault::wrong_account},
    {"reads_what_is_wanted", "a connector reads every account as disabled", no_s,
     ConnectorFault::reads_what_is_wanted},
    {"no_protection", "protected subjects are not", no_s, no_c, PolicyFault::no_protection},
    {"no_guard", "the guard is off", no_s, no_c, PolicyFault::no_guard},
    {"no_grace", "what cannot be undone follows at once", no_s, no_c, PolicyFault::no_grace},
    {"no_approval", "nobody is asked", no_s, no_c, PolicyFault::no_approval},
    {"no_entitling", "groups entitle nobody", no_s, no_c, PolicyFault::no_entitling},
    {"other_ranks", "the lowest role wins", no_s, no_c, PolicyFault::other_ranks},
    {"fast_clock", "the engine's calendar runs too fast", no_s, no_c, PolicyFault::none, true},
    {"cut_off_and_denied",
     "a directory's lists are cut off, and whoever is missing is denied when asked for alone", no_s, no_c,
     PolicyFault::none, false, ApiFault::cut_off_and_denied},
    {"stands_still", "a directory shows for ever what it showed first", no_s, no_c, PolicyFault::none, false,
     ApiFault::stands_still},
}};
}  // namespace

std::span<const Fault> planted_faults() noexcept { return faults; }

const Fault* find_fault(std::string_view name) noexcept {
  for (const auto& f : faults)
    if (f.name == name) return &f;
  return nullptr;
}

}  // namespace deprov::test::sim
