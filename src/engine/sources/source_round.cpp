// A round of a feed as a list of its source: users page by page, everybody or who changed, and then only the
// subjects looked at of whom it says anything new.
#include <algorithm>
#include <utility>
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

namespace {
constexpr std::size_t most_touched = 100'000;  // beyond that all subjects are looked at
constexpr std::size_t most_confirmed = 100;    // of those who are not listed any more
constexpr std::size_t same_link = 10;          // subjects that one id may link to; two are ambiguous
}  // namespace

void SourceSync::round(idp::FeedRoundKind kind, bool repeats) {
  round_ = kind;
  repeats_ = repeats;
}

Result<void> SourceSync::ready_for_round() {
  auto limits = config_.limits;
  limits.max_pages *= 2;  // each page is counted by its mark and by its body
  if (*round_ == idp::FeedRoundKind::complete) {
    reading_.emplace(key_, limits, before_ ? &*before_ : nullptr, repeats_);
    return {};
  }
  if (!before_)
    return Error(Errc::store_corrupt, "there is no complete list that changes could be applied to",
                 "source " + row_->name, "everybody is read instead");
  changes_reading_.emplace(*before_, limits);
  return {};
}

Result<void> SourceSync::begin_page(std::string_view mark) {
  touched_ = impl_->ports.clock.mono();
  auto begun = reading_ ? reading_->begin_page(mark) : changes_reading_->begin_page(mark);
  if (!begun && !failure_) failure_ = begun.error();
  return begun;
}

Result<void> SourceSync::take(const idp::FeedUser& user, bool fresh) {
  if (failure_) return *failure_;
  if (user.state == idp::FeedState::hint) return {};
  idp::SnapshotUser row{user.id, user.external_id, user.user_name, user.email, true, idp::Cause::none};
  row.active = user.state == idp::FeedState::granted || user.state == idp::FeedState::unstated;
  if (!row.active) row.cause = user.cause;
  auto difference =
      reading_ ? reading_->add(row) : changes_reading_->add(row, user.state != idp::FeedState::unstated);
  if (!difference) {
    failure_ = difference.error();
    return *failure_;
  }
  if (fresh) fresh_.insert(idp::fingerprint(key_, user.id));
  if (*difference == idp::Difference::same && !fresh) return {};
  if (touched_ids_.size() == most_touched) all_known_ = false;
  if (!all_known_ || !before_) return {};
  touched_ids_.emplace_back(user.id);
  if (user.changed && !row.active) happened_[idp::fingerprint(key_, user.id)] = *user.changed;
  return {};
}

void SourceSync::after_failure(WallTime due, std::string poll) {
  failure_due_ = due;
  failure_poll_ = std::move(poll);
}

void SourceSync::renew(WallTime due) {
  if (std::exchange(renewing_, true)) return;
  auto self = shared_from_this();
  impl_->decide(
      [self, due](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, self->mine(reader));
        row.due = due;
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [self](const Result<port::Committed>& committed) {
        self->renewing_ = false;
        if (committed) ++self->row_->version;
        if (self->renewed_) std::exchange(self->renewed_, {})();
      });
}

void SourceSync::end_round(RoundEnd how, Done<json::object> done) {
  round_end_ = std::move(how);
  done_ = std::move(done);
  ended_ = true;
  if (renewing_) {
    renewed_ = [self = shared_from_this()] { self->end_read(); };
    return;
  }
  end_read();
}

void SourceSync::quiet(RoundEnd how, Done<json::object> done) {
  round_end_ = std::move(how);
  done_ = std::move(done);
  ended_ = true;
  touch();
}

void SourceSync::end_read() {
  if (failure_) return refuse(*failure_);
  const bool complete = *round_ == idp::FeedRoundKind::complete;
  if (complete && round_end_.total && *round_end_.total != round_end_.records)
    return refuse(Error(Errc::protocol,
                        "the source says that it has " + std::to_string(*round_end_.total) +
                            " users, and showed " + std::to_string(round_end_.records),
                        "the list", "it is read again from the start"));
  auto list = complete ? std::move(*reading_).close(idp::EndOfList::seen())
                       : std::move(*changes_reading_).close(idp::EndOfList::seen());
  if (!list) return refuse(list.error());
  after_.emplace(std::move(*list));
  reading_.reset();
  changes_reading_.reset();
  compare_with_subjects();
}

void SourceSync::confirm_absent() {
  std::vector<ResourceId> absent;
  for (const auto& change : changes_)
    if (change.says == idp::Says::absent) absent.push_back(change.subject);
  if (!confirm_ || absent.empty()) return name_found();
  auto asked = std::make_shared<std::map<std::string, ResourceId>>();  // by id at the source
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, absent = std::move(absent), asked](port::Reader& reader) -> Result<void> {
        const auto wanted = std::min(absent.size(), most_confirmed);
        for (std::size_t i = 0; i < wanted; ++i) {
          DEPROV_TRY(resource, reader.resource(self->scope_, absent[i * absent.size() / wanted]));
          if (!resource) continue;
          if (auto link = engine::link_of(self->config_, *resource); !link.empty())
            asked->emplace(std::move(link), resource->id);
        }
        return {};
      },
      [self, asked](Result<void> viewed) {
        self->impl_->ports.executor.post([self, asked, viewed] {
          if (!viewed) return self->done_(viewed.error());
          std::vector<std::string> ids;
          for (const auto& [id, subject] : *asked) ids.push_back(id);
          self->confirm_(std::move(ids), [self, asked](const Result<Confirmed>& said) {
            if (!said) return self->refuse(said.error());
            if (said->there.empty()) {
              self->take_confirmed(*said, *asked);
              return self->name_found();
            }
            self->refuse(Error(Errc::protocol,
                               std::to_string(said->there.size()) + " of " + std::to_string(asked->size()) +
                                   " users who were not in the list are there when asked for alone, such as " +
                                   said->there.front().substr(0, 100),
                               "the list", "it is read again from the start"));
          });
        });
      });
}

/// What was read of a subject itself says more than that the list does not have them: also why (R2).
void SourceSync::take_confirmed(const Confirmed& said, const std::map<std::string, ResourceId>& asked) {
  std::map<ResourceId, idp::Cause> ended;
  for (const auto& [id, cause] : said.ended)
    if (const auto who = asked.find(id); who != asked.end() && cause != idp::Cause::none)
      ended.emplace(who->second, cause);
  for (auto& change : changes_) {
    if (change.says != idp::Says::absent) continue;
    if (const auto why = ended.find(change.subject); why != ended.end()) {
      change.says = idp::Says::ended;
      change.cause = why->second;
    }
  }
}

idp::Cause SourceSync::cause_of(const idp::UserPrint& user) const {
  if (user.active()) return idp::Cause::none;
  return user.cause() == idp::Cause::none ? config_.inactive : user.cause();
}

bool SourceSync::nothing_new() const {
  const auto& d = differences_;
  return round_ && before_ && changes_.empty() && d.appeared + d.ended + d.restored + d.changed + d.left == 0;
}

void SourceSync::compare_with_subjects() {
  if (before_) {
    if (auto counts = idp::compare(*before_, *after_)) differences_ = *counts;
  } else {
    differences_.appeared = after_->size();
  }
  if (!row_) return look_at_subjects();
  gather_asked(std::nullopt);
}

void SourceSync::gather_asked(std::optional<ResourceId> after) {
  auto page = std::make_shared<port::Page<ResourceId>>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, after, page](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.subjects_to_reread(self->scope_, self->row_->id, after, 10 * subjects_a_view));
        *page = std::move(rows);
        return {};
      },
      [self, page](Result<void> viewed) {
        self->impl_->ports.executor.post([self, page, viewed] {
          if (!viewed) return self->done_(viewed.error());
          self->asked_.insert(page->rows.begin(), page->rows.end());
          if (page->more && !page->rows.empty()) return self->gather_asked(page->rows.back());
          self->look_at_subjects();
        });
      });
}

void SourceSync::look_at_subjects() {
  // Of those who left, only fingerprints are known: which subjects they are is seen by looking at all of them.
  partial_ = round_ && before_ && !how_.dry_run && all_known_ && differences_.left == 0;
  if (!partial_) return scan(std::nullopt);
  // A list that shows access as before still outweighs what others let infer earlier (R16).
  if (*round_ == idp::FeedRoundKind::complete) return gather_said(std::nullopt);
  find_touched(0);
}

void SourceSync::find_touched(std::size_t from) {
  if (from == 0) {
    candidates_ = said_;
    // A list of everybody pays what is owed also where it is as before.
    if (!changes_only()) candidates_.insert(candidates_.end(), asked_.begin(), asked_.end());
  }
  const auto to = std::min(touched_ids_.size(), from + subjects_a_view);
  if (from == to) {
    std::sort(candidates_.begin(), candidates_.end());
    candidates_.erase(std::unique(candidates_.begin(), candidates_.end()), candidates_.end());
    return look_at_some(0);
  }
  auto found = std::make_shared<std::vector<ResourceId>>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, from, to, found](port::Reader& reader) -> Result<void> {
        std::map<std::string_view, std::vector<ResourceId>> linked;  // by a person
        for (const auto& [subject, id] : self->config_.links) linked[id].push_back(subject);
        for (auto i = from; i < to; ++i) {
          const auto& id = self->touched_ids_[i];
          if (const auto own = linked.find(id); own != linked.end())
            found->insert(found->end(), own->second.begin(), own->second.end());
          if (self->config_.link_by_id) {
            if (const auto subject = ResourceId::parse(id)) found->push_back(*subject);
            continue;
          }
          DEPROV_TRY(rows, reader.resources_by_key(self->scope_, "User",
                                                   {port::ResourceKey::Attribute::external_id, id}, same_link));
          for (const auto& row : rows) found->push_back(row.id);
        }
        return {};
      },
      [self, to, found](Result<void> viewed) {
        self->impl_->ports.executor.post([self, to, found, viewed] {
          if (!viewed) return self->done_(viewed.error());
          self->candidates_.insert(self->candidates_.end(), found->begin(), found->end());
          self->find_touched(to);
        });
      });
}

void SourceSync::look_at_some(std::size_t from) {
  const auto to = std::min(candidates_.size(), from + subjects_a_view);
  if (from == to) {
    std::sort(said_.begin(), said_.end());
    said_.erase(std::unique(said_.begin(), said_.end()), said_.end());
    return judge();
  }
  struct Read {
    std::vector<Seen> seen;
    std::vector<ResourceId> said;
  };
  auto read = std::make_shared<Read>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, from, to, read](port::Reader& reader) -> Result<void> {
        for (auto i = from; i < to; ++i) {
          DEPROV_TRY(resource, reader.resource(self->scope_, self->candidates_[i]));
          if (!resource || resource->deleted || resource->type != "User") continue;
          DEPROV_TRY(seen, self->look_at(reader, *resource));
          read->seen.push_back(seen);
          DEPROV_TRY(said, reader.grants(self->scope_, resource->id));
          if (std::any_of(said.begin(), said.end(), [](const auto& g) { return g.says != idp::Says::hint; }))
            read->said.push_back(resource->id);
        }
        return {};
      },
      [self, to, read](Result<void> viewed) {
        self->impl_->ports.executor.post([self, to, read, viewed] {
          if (!viewed) return self->done_(viewed.error());
          self->seen_.insert(self->seen_.end(), read->seen.begin(), read->seen.end());
          self->said_.insert(self->said_.end(), read->said.begin(), read->said.end());
          self->look_at_some(to);
        });
      });
}

}  // namespace deprov::engine
