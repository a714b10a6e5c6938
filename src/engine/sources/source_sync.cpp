#include "engine/sources/source_sync.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

namespace deprov::engine {

namespace {
constexpr std::size_t pieces_a_view = 32;
constexpr std::size_t most_differences = 10'000;
constexpr std::array<std::string_view, 6> kind_names = {"same",           "not_listed", "listed_inactive",
                                                        "no_access_here", "no_link",    "ambiguous"};
constexpr std::array<std::string_view, 6> kind_texts = {
    "",
    "has access here, and is not in the list",
    "has access here, and is not active in the list",
    "is active in the list, and has no access here",
    "has access here, and nothing that the list could name it by",
    "the list names several subjects at once; which one is meant is for a person to say"};

std::uint32_t place_in(const idp::CompleteSnapshot& list, const idp::UserPrint* user) {
  return user == nullptr ? 0xFFFFFFFFU : static_cast<std::uint32_t>(user - list.users().data());
}
}  // namespace

SourceSync::SourceSync(std::shared_ptr<Engine::Impl> impl, std::string actor, port::Scope scope, BeginList how)
    : impl_(std::move(impl)),
      actor_(std::move(actor)),
      scope_(scope),
      how_(std::move(how)),
      id_(impl_->new_id<WorkId>()),
      begun_(impl_->now()),
      touched_(impl_->ports.clock.mono()) {
  how_.differences = std::min(how_.differences, most_differences);
  if (how_.begun) begun_ = std::min(begun_, *how_.begun);
}

void SourceSync::begin(std::optional<port::SourceRow> source, SourceConfig config, Done<void> done) {
  row_ = std::move(source);
  config_ = std::move(config);
  if (!row_) {
    impl_->ports.random.fill(key_.bytes);
    return done(ready());
  }
  auto key = unseal_source_key(*impl_, *row_);
  if (!key) return done(key.error());
  key_ = *key;
  if (row_->generation == 0) return done(ready());
  auto loader = std::make_shared<idp::SnapshotLoader>(key_);
  if (!loader->feed(snapshot_header(*row_))) return done(ready());
  load(loader, 0, std::move(done));
}

void SourceSync::load(const std::shared_ptr<idp::SnapshotLoader>& loader, std::uint32_t from, Done<void> done) {
  struct Read {
    std::uint32_t next = 0;
    bool more = false;
  };
  auto read = std::make_shared<Read>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, loader, from, read](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(page, reader.source_pieces({self->scope_, self->row_->id, port::SourcePart::snapshot,
                                               self->row_->base, self->row_->generation},
                                              from, pieces_a_view));
        for (const auto& piece : page.rows) {
          (void)loader->feed(piece.bytes);  // `finish` says what is wrong with it
          read->next = piece.place + 1;
        }
        read->more = page.more;
        return {};
      },
      [self, loader, read, done = std::move(done)](Result<void> viewed) mutable {
        self->impl_->ports.executor.post([self, loader, read, viewed, done = std::move(done)]() mutable {
          if (!viewed) return done(viewed);
          if (read->more) return self->load(loader, read->next, std::move(done));
          // What cannot be read is as if it were not there: nobody is absent by comparison with it.
          if (auto last = std::move(*loader).finish()) self->before_.emplace(std::move(*last));
          done(self->ready());
        });
      });
}

Result<void> SourceSync::ready() {
  if (round_) return ready_for_round();
  reading_.emplace(key_, config_.limits, before_ ? &*before_ : nullptr);
  if (row_ && row_->kind == "rows") return {};
  DEPROV_TRY(reader, idp::make_snapshot_reader(config_.format, config_.mapping, {},
                                               [this](const idp::SnapshotUser& user) -> Result<void> {
                                                 if (auto r = reading_->add(user); !r) return r.error();
                                                 return {};
                                               }));
  reader_ = std::move(reader);
  return {};
}

Result<void> SourceSync::usable(std::uint64_t offset, std::string_view unit) {
  touched_ = impl_->ports.clock.mono();
  if (ended_) return Error(Errc::conflict, "the list has ended", "list " + id_.str(), "begin another one");
  if (failure_) return *failure_;
  if (offset != offset_)
    return Error(Errc::conflict,
                 std::to_string(offset_) + " " + std::string(unit) + " came so far, not " + std::to_string(offset),
                 "list " + id_.str(), "go on from there");
  return {};
}

/// Of a polled source its server is to blame; of a list that is handed in, whoever hands it in.
Error SourceSync::blamed(Error why) const {
  if (round_ || why.code() != Errc::protocol) return why;
  return {Errc::invalid_argument, why.detail(), why.where(), why.advice()};
}

Result<std::uint64_t> SourceSync::feed(std::uint64_t offset, std::string_view bytes) {
  if (!reader_)
    return Error(Errc::invalid_argument, "users are handed in to this source, not bytes", "list " + id_.str());
  DEPROV_CHECK(usable(offset, "bytes"));
  if (auto r = reader_->feed(bytes); !r) {
    failure_ = blamed(r.error());
    return *failure_;
  }
  return offset_ += bytes.size();
}

Result<std::uint64_t> SourceSync::add(std::uint64_t offset, const std::vector<SourceUser>& users) {
  if (!row_ || row_->kind != "rows")
    return Error(Errc::invalid_argument, "the bytes of a list are handed in to this source, not users",
                 "list " + id_.str());
  DEPROV_CHECK(usable(offset, "users"));
  for (const auto& u : users) {
    if (auto r = reading_->add({u.id, u.external_id, u.user_name, u.email, u.active}); !r) {
      failure_ = blamed(r.error());
      return *failure_;
    }
  }
  return offset_ += users.size();
}

void SourceSync::end(std::optional<std::uint64_t> count, Done<json::object> done) {
  if (ended_) return done(Error(Errc::conflict, "the list has ended", "list " + id_.str(), "begin another one"));
  ended_ = true;
  done_ = std::move(done);
  if (failure_) return refuse(*failure_);
  auto over = [&]() -> Result<idp::EndOfList> {
    if (reader_) return reader_->end(count);
    if (count) return idp::EndOfList::counted(*count);
    if (config_.mapping.whole) return idp::EndOfList::seen();
    return Error(Errc::protocol, "nothing shows that the list was handed in to its end", "list " + id_.str(),
                 "say how many users the source counts, or let the source's config say `whole`");
  }();
  if (!over) return refuse(over.error());
  auto list = std::move(*reading_).close(*over);
  if (!list) return refuse(list.error());
  after_.emplace(std::move(*list));
  reading_.reset();
  reader_.reset();
  compare_with_subjects();
}

// ---- against the subjects

Result<SourceSync::Seen> SourceSync::look_at(port::Reader& reader, const port::ResourceRow& resource) const {
  Seen seen;
  seen.subject = resource.id;
  DEPROV_TRY(subject, reader.subject(scope_, resource.id));
  seen.access = subject && subject->access;
  const auto link = engine::link_of(config_, resource);
  seen.linked = !link.empty();
  seen.by_person = config_.links.contains(resource.id);
  if (!seen.linked) return seen;
  if (asked_.contains(resource.id)) {
    DEPROV_TRY(names, whom_it_names(reader, scope_, config_, resource.id, link));
    seen.names = names;
  }
  const auto print = idp::fingerprint(key_, link);
  seen.place = place_in(*after_, after_->find(print));
  seen.fresh = fresh_.contains(print);
  if (const auto at = happened_.find(print); at != happened_.end()) seen.happened = at->second;
  if (before_) seen.before = place_in(*before_, before_->find(print));
  return seen;
}

void SourceSync::scan(std::optional<ResourceId> after) {
  struct Read {
    std::vector<Seen> seen;
    bool more = false;
  };
  if (impl_->closing)
    return done_(Error(Errc::closed, "the engine is shutting down", "list " + id_.str(), "hand it in again"));
  auto read = std::make_shared<Read>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, after, read](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(page, reader.resources(self->scope_, "User", after, subjects_a_view));
        for (const auto& resource : page.rows) {
          DEPROV_TRY(seen, self->look_at(reader, resource));
          read->seen.push_back(seen);
        }
        read->more = page.more;
        return {};
      },
      [self, read](Result<void> viewed) {
        self->impl_->ports.executor.post([self, read, viewed] {
          if (!viewed) return self->done_(viewed.error());
          self->seen_.insert(self->seen_.end(), read->seen.begin(), read->seen.end());
          if (read->more && !read->seen.empty()) return self->scan(read->seen.back().subject);
          self->gather_said(std::nullopt);
        });
      });
}

void SourceSync::gather_said(std::optional<ResourceId> after) {
  auto page = std::make_shared<port::Page<ResourceId>>();
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self, after, page](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.subjects_with_grants(self->scope_, after, 10 * subjects_a_view));
        *page = std::move(rows);
        return {};
      },
      [self, page](Result<void> viewed) {
        self->impl_->ports.executor.post([self, page, viewed] {
          if (!viewed) return self->done_(viewed.error());
          self->said_.insert(self->said_.end(), page->rows.begin(), page->rows.end());
          if (page->more && !page->rows.empty()) return self->gather_said(page->rows.back());
          if (self->partial_) return self->find_touched(0);
          self->judge();
        });
      });
}

/// Whom an entry of a list means: of those that a person linked to it, and otherwise of all whom it fits. One is
/// meant; of several, a person is to say which (R12).
class SourceSync::Meant {
 public:
  explicit Meant(std::size_t entries) : all_(entries), by_person_(entries) {}
  void add(std::uint32_t place, bool by_person) {
    if (place == nowhere) return;
    if (all_[place] < 2) ++all_[place];
    if (by_person && by_person_[place] < 2) ++by_person_[place];
  }
  [[nodiscard]] bool nobody(std::size_t place) const { return all_[place] == 0; }
  [[nodiscard]] bool another(std::uint32_t place, bool by_person) const {
    return place != nowhere && !by_person && by_person_[place] != 0;
  }
  [[nodiscard]] bool several(std::uint32_t place) const {
    return place != nowhere && (by_person_[place] != 0 ? by_person_[place] : all_[place]) > 1;
  }

 private:
  std::vector<std::uint8_t> all_, by_person_;
};

void SourceSync::judge() {
  Meant listed(after_->size()), was(before_ ? before_->size() : 0);
  for (const auto& s : seen_) {
    listed.add(s.place, s.by_person);
    was.add(s.before, s.by_person);
  }
  for (const auto& s : seen_) {
    with_access_ += s.access ? 1 : 0;
    const bool here = s.place != nowhere;
    const bool active = here && after_->users()[s.place].active();
    const bool was_active = s.before != nowhere && before_->users()[s.before].active();
    const bool was_suspended =
        s.before != nowhere && cause_of(before_->users()[s.before]) == idp::Cause::suspended;
    const auto cause = here ? cause_of(after_->users()[s.place]) : idp::Cause::none;
    auto kind = Kind::same;
    std::optional<idp::Says> says;
    const bool said = std::binary_search(said_.begin(), said_.end(), s.subject);
    // A suspended user who is not listed any more has left.
    const bool left = !here && said && was_suspended;
    const bool worse = here && was_suspended && cause != idp::Cause::suspended;
    const bool ends = !active && (was_active || left || worse || (here && s.fresh && s.access));
    const bool anothers =
        s.names == Names::another || listed.another(s.place, s.by_person) || was.another(s.before, s.by_person);
    if (!s.linked || anothers) {
      if (s.access) kind = Kind::no_link;
    } else if (s.names == Names::several || listed.several(s.place) || was.several(s.before)) {
      kind = Kind::ambiguous;
      // No later list differs from this one by it: it is owed, and paid when a person has said who is meant.
      if (ends && s.access && !asked_.contains(s.subject))
        changes_.push_back({s.subject, idp::Says::hint, idp::Cause::none, {}});
    } else {
      // A list read to its end shows everybody; a round of changes only those who were asked for.
      const bool owed = asked_.contains(s.subject) && (s.fresh || !changes_only());
      if (active) {
        if (said || owed) says = idp::Says::granted;
      } else if (ends || owed) {
        says = here ? idp::Says::ended : idp::Says::absent;
      }
      if (active != s.access)
        kind = active ? Kind::no_access_here : here ? Kind::listed_inactive : Kind::not_listed;
    }
    ++counts_.at(static_cast<std::size_t>(kind));
    if (says) {
      changes_.push_back({s.subject, *says, *says == idp::Says::ended ? cause : idp::Cause::none, s.happened});
      if (*says == idp::Says::granted) {
        restores_ += s.access ? 0 : 1;
      } else {
        ends_ += s.access ? 1 : 0;
      }
    }
    if (kind == Kind::same) continue;
    if (found_.size() < how_.differences) {
      found_.push_back({s, kind, says.has_value(), {}, {}});
    } else {
      more_ = true;
    }
  }
  for (std::size_t i = 0; i < after_->size() && !partial_; ++i)
    unknown_ += listed.nobody(i) && after_->users()[i].active() ? 1 : 0;
  confirm_absent();
}

void SourceSync::name_found() {
  auto self = shared_from_this();
  impl_->ports.store.view(
      [self](port::Reader& reader) -> Result<void> {
        for (auto& f : self->found_) {
          DEPROV_TRY(resource, reader.resource(self->scope_, f.seen.subject));
          if (!resource) continue;
          f.user_name = resource->user_name_key;
          f.external_id = resource->external_id;
        }
        return {};
      },
      [self](Result<void> viewed) {
        self->impl_->ports.executor.post([self, viewed] {
          if (!viewed) return self->done_(viewed.error());
          if (!self->row_ || self->how_.dry_run) return self->done_(self->report());
          if (self->nothing_new()) return self->touch();
          self->stage();
        });
      });
}

json::object SourceSync::report() const {
  json::object counts;
  for (std::size_t k = 0; k < kinds; ++k) counts[kind_names.at(k)] = counts_.at(k);
  json::array differences;
  for (const auto& f : found_) {
    const auto k = static_cast<std::size_t>(f.kind);
    differences.push_back(json::object{{"kind", kind_names.at(k)},
                                       {"subject", f.seen.subject.str()},
                                       {"user_name", f.user_name},
                                       {"external_id", f.external_id},
                                       {"acts", f.acts},
                                       {"what", kind_texts.at(k)}});
  }
  static const std::vector<idp::UserPrint> nobody;
  const auto& users = after_ ? after_->users() : nobody;  // a round of changes without any reads no list
  const auto listed = static_cast<std::uint64_t>(
      std::count_if(users.begin(), users.end(), [](const auto& u) { return u.active(); }));
  return {{"list", id_.str()},
          {"begun", to_rfc3339(begun_)},
          {"dry_run", how_.dry_run || !row_},
          {"first", !before_ && after_.has_value()},
          {"listed", users.size()},
          {"listed_active", listed},
          {"subjects", seen_.size()},
          {"with_access", with_access_},
          {"unknown_here", unknown_},
          {"counts", std::move(counts)},
          {"since_last",
           {{"appeared", differences_.appeared},
            {"ended", differences_.ended},
            {"restored", differences_.restored},
            {"changed", differences_.changed},
            {"left", differences_.left}}},
          {"ends", ends_},
          {"restores", restores_},
          {"work", work_.is_nil() ? json::value() : json::value(work_.str())},
          {"differences", std::move(differences)},
          {"more", more_}};
}

}  // namespace deprov::engine
