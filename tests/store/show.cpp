#include <sstream>
#include "stores.hpp"

namespace deprov::test {
namespace {

class Text {
 public:
  template <class T>
  Text& operator<<(const T& v) {
    add(v);
    out_ << '|';
    return *this;
  }
  [[nodiscard]] std::string str() const { return out_.str(); }

 private:
  void add(const std::string& v) { out_ << v.size() << ':' << v; }
  void add(WallTime t) { out_ << t.micros; }
  void add(const Scope& s) { out_ << s.workspace.str() << '/' << s.integration.str(); }
  template <std::size_t N>
  void add(const std::array<std::uint8_t, N>& bytes) {
    for (const auto b : bytes) out_ << static_cast<int>(b) << '.';
  }
  template <class Tag>
  void add(const Id<Tag>& id) {
    out_ << id.str();
  }
  template <class T>
  void add(const std::optional<T>& v) {
    if (v) add(*v);
  }
  template <class T>
  void add(const std::vector<T>& values) {
    for (const auto& v : values) {
      add(v);
      out_ << ',';
    }
  }
  void add(const std::vector<bool>& values) {
    for (const bool v : values) out_ << v;
  }
  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) void add(T v) { out_ << static_cast<std::int64_t>(v); }
  std::ostringstream out_;
};

}  // namespace

std::string show(const WorkspaceRow& r) { return (Text() << r.id << r.name << r.created).str(); }
std::string show(const PrincipalRow& r) {
  return (Text() << r.workspace << r.id << r.name << r.role << r.token_hash << r.created << r.version).str();
}
std::string show(const IntegrationRow& r) {
  return (Text() << r.scope << r.name << r.idp << r.connector << r.config << r.secrets << r.settings << r.policy
                 << r.policy_version << r.state << r.created << r.modified << r.version << r.sources)
      .str();
}
std::string show(const GatewayTokenRow& r) {
  return (Text() << r.hash << r.scope << r.created << r.expires).str();
}
std::string show(const ResourceRow& r) {
  return (Text() << r.scope << r.id << r.type << r.version << r.external_id << r.user_name_key
                 << r.display_name_key << r.email_keys << r.active << r.deleted << r.created << r.modified
                 << r.document)
      .str();
}
std::string show(const MemberRow& r) {
  return (Text() << r.group << r.member << r.member_is_group << r.display).str();
}
std::string show(const SubjectRow& r) {
  return (Text() << r.scope << r.id << r.grants_version << r.access << r.generation << r.desired << r.cause
                 << r.via_group << r.via_inferred << r.evidence_at << r.policy_version << r.job
                 << r.last_deactivated << r.last_group_lost << r.last_group_lost_at << r.counted_at)
      .str();
}
std::string show(const BindingRow& r) {
  return (Text() << r.scope << r.subject << r.state << r.account_id << r.account_login << r.was_bound << r.last_set
                 << r.checked_at << r.version)
      .str();
}
std::string show(const ChangeRow& r) {
  return (Text() << r.scope << r.id << r.subject << r.group << r.kind << r.at << r.source << r.request << r.count)
      .str();
}
std::string show(const JobRow& r) {
  return (Text() << r.scope << r.id << r.subject << r.generation << r.kind << r.state << r.priority << r.created
                 << r.due << r.deadline << r.evidence_at << r.finished << r.attempts << r.lease << r.lane_epoch
                 << r.cause << r.via_group << r.via_inferred << r.plan << r.reason << r.version)
      .str();
}
std::string show(const LaneRow& r) {
  return (Text() << r.scope << r.owner << r.epoch << r.until << r.paused).str();
}
std::string show(const DueRow& r) {
  return (Text() << r.scope << r.subject << r.kind << r.at << r.since << r.payload).str();
}
std::string show(const HoldRow& r) {
  return (Text() << r.scope << r.id << r.opened << r.closed << r.window_from << r.reason << r.items << r.held
                 << r.listing)
      .str();
}
std::string show(const HoldItemRow& r) {
  return (Text() << r.scope << r.hold << r.seq << r.subject << r.job << r.generation << r.cause << r.via_group
                 << r.state << r.at << r.decided << r.by << r.listing)
      .str();
}
std::string show(const PopulationRow& r) { return (Text() << r.minute << r.delta).str(); }
std::string show(const WorkRow& r) {
  return (Text() << r.scope << r.id << r.group << r.kind << r.payload << r.cursor << r.total << r.done << r.created
                 << r.version)
      .str();
}
std::string show(const ActivityRow& r) {
  return (Text() << r.scope << r.seq << r.at << r.event << r.actor << r.subject << r.job << r.hash << r.detail_hash
                 << r.salt << r.detail)
      .str();
}
std::string show(const Committed& c) {
  return (Text() << c.resource_versions << c.activity_seqs << c.members_changed << c.details_deleted
                 << c.pieces_pruned)
      .str();
}
std::string show(const ChoreRow& r) { return (Text() << r.scope << r.name << r.due << r.state).str(); }
std::string show(const FindingRow& r) {
  return (Text() << r.scope << r.run << r.n << r.kind << r.subject << r.account_id << r.account_login << r.note
                 << r.job)
      .str();
}

std::string show(const SourceRow& r) {
  return (Text() << r.scope << r.id << r.name << r.kind << r.config << r.secrets << r.created << r.generation
                 << r.base << r.places << r.header << r.users << r.begun << r.work << r.attempted << r.succeeded
                 << r.failing_since << r.failure << r.failures << r.due << r.version)
      .str();
}
std::string show(const SourcePieceRow& r) {
  return (Text() << r.scope << r.source << r.part << r.place << r.generation << r.bytes).str();
}
std::string show(const GrantRow& r) {
  return (Text() << r.scope << r.subject << r.source << r.says << r.cause << r.begun << r.evidence_at).str();
}
std::string show(const WebhookRow& r) {
  return (Text() << r.workspace << r.id << r.integration << r.name << r.url << r.events << r.ca_pem << r.secrets
                 << r.created << r.version)
      .str();
}
std::string show(const WebhookCursorRow& r) {
  return (Text() << r.workspace << r.webhook << r.chain << r.seq).str();
}
std::string show(const DeliveryRow& r) {
  return (Text() << r.workspace << r.webhook << r.id << r.state << r.created << r.due << r.finished << r.resent
                 << r.attempts << r.status << r.events << r.error << r.body << r.version)
      .str();
}

}  // namespace deprov::test
