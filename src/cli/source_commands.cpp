// `source check`: a full list of who has access, against the subjects that deprov knows. Nothing is changed by it.
#include <algorithm>
#include <array>
#include <deprov/crypto/crypto.hpp>
#include <deprov/idp/snapshot.hpp>
#include <deprov/idp/snapshot_reader.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <vector>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct SourceOptions {
  std::string file;
  std::string format;
  std::string link = "external_id";
  std::string delimiter = ",";
  std::vector<std::string> active_values, inactive_values;
  std::optional<std::uint64_t> count;
  idp::SnapshotMapping mapping;
  std::size_t limit = 1000;
};

constexpr std::size_t piece = 65'536;
constexpr std::string_view link_by_id = "id";

Result<idp::SnapshotFormat> format_of(const SourceOptions& o) {
  auto name = o.format;
  if (name.empty()) {
    const auto dot = o.file.rfind('.');
    if (dot != std::string::npos) name = o.file.substr(dot + 1);
  }
  const auto format = idp::parse_snapshot_format(name);
  if (!format)
    return Error(Errc::invalid_argument, "it does not say how the list is written", "--format " + name,
                 "give one of csv, json and jsonl");
  return *format;
}

/// The whole list, or why it is none (R6).
Result<idp::CompleteSnapshot> read_list(const SourceOptions& o) {
  auto mapping = o.mapping;
  if (o.delimiter.size() != 1 && o.delimiter != "\\t")
    return Error(Errc::invalid_argument, "it is not one character", "--delimiter " + o.delimiter);
  mapping.delimiter = o.delimiter == "\\t" ? '\t' : o.delimiter.front();
  if (!o.active_values.empty()) mapping.active_values = o.active_values;
  if (!o.inactive_values.empty()) mapping.inactive_values = o.inactive_values;
  DEPROV_TRY(format, format_of(o));
  idp::FingerprintKey key;
  crypto::make_system_random()->fill(key.bytes);
  idp::SnapshotReading reading(key);
  DEPROV_TRY(reader, idp::make_snapshot_reader(format, std::move(mapping), {},
                                               [&](const idp::SnapshotUser& u) -> Result<void> {
                                                 if (auto r = reading.add(u); !r) return r.error();
                                                 return {};
                                               }));
  std::ifstream file;
  if (o.file != "-") {
    file.open(o.file, std::ios::binary);
    if (!file) return Error(Errc::not_found, "the file cannot be read", "--file " + o.file);
  }
  std::istream& in = o.file == "-" ? std::cin : file;
  std::vector<char> buffer(piece);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (auto r = reader->feed({buffer.data(), static_cast<std::size_t>(in.gcount())}); !r)
      return r.error().within(o.file);
  }
  if (in.bad()) return Error(Errc::io, "the file could not be read to its end", "--file " + o.file);
  const auto end = reader->end(o.count);
  if (!end) return end.error().within(o.file);
  auto snapshot = std::move(reading).close(*end);
  if (!snapshot) return snapshot.error().within(o.file);
  return snapshot;
}

/// How a subject and the list differ.
enum class Kind : std::uint8_t { same, not_listed, listed_inactive, no_access_here, no_link, ambiguous };
constexpr std::array<std::string_view, 6> kind_names = {"same",           "not_listed", "listed_inactive",
                                                        "no_access_here", "no_link",    "ambiguous"};
constexpr std::array<std::string_view, 6> kind_texts = {
    "",
    "has access here, and is not in the list",
    "has access here, and is not active in the list",
    "is active in the list, and has no access here",
    "has access here, and nothing that the list could name it by",
    "the list names several subjects at once; which one is meant is for a person to say"};

class Comparison {
 public:
  Comparison(Api& api, std::string base, const idp::CompleteSnapshot& list, const SourceOptions& options)
      : api_(api), base_(std::move(base)), list_(list), options_(options), matches_(list.size()) {}

  Result<void> run() {
    std::string after;
    do {
      DEPROV_TRY(page, api_.call("GET", base_ + "?limit=1000" + (after.empty() ? "" : "&after=" + after)));
      for (const auto& s : page.at("items").as_array()) DEPROV_CHECK(take(s));
      after = page.at("next").is_null() ? "" : cell(page, "next");
    } while (!after.empty());
    return {};
  }

  [[nodiscard]] json::object report() const {
    json::object counts;
    for (std::size_t k = 0; k < kind_names.size(); ++k) counts[kind_names[k]] = counts_[k];
    json::array differences;
    for (const auto& f : found_) {
      const auto k = static_cast<std::size_t>(f.kind);
      differences.push_back(json::object{{"kind", kind_names[k]},
                                         {"subject", f.subject},
                                         {"user_name", f.user_name},
                                         {"external_id", f.external_id},
                                         {"what", kind_texts[k]}});
    }
    const auto listed = static_cast<std::uint64_t>(
        std::count_if(list_.users().begin(), list_.users().end(), [](const auto& u) { return u.active(); }));
    std::uint64_t unknown = 0;
    for (std::size_t i = 0; i < matches_.size(); ++i)
      unknown += matches_[i] == 0 && list_.users()[i].active() ? 1 : 0;
    return {{"listed", list_.size()},
            {"listed_active", listed},
            {"subjects", subjects_},
            {"with_access", with_access_},
            {"unknown_here", unknown},
            {"counts", std::move(counts)},
            {"differences", std::move(differences)},
            {"more", more_}};
  }

 private:
  struct Found {
    Kind kind;
    std::size_t place;  ///< in the list
    std::string subject, user_name, external_id;
  };
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  [[nodiscard]] static Kind judge(bool access, const idp::UserPrint* listed) noexcept {
    if (listed == nullptr) return access ? Kind::not_listed : Kind::same;
    if (listed->active() == access) return Kind::same;
    return access ? Kind::listed_inactive : Kind::no_access_here;
  }

  void add(Kind kind, std::size_t place, const json::value& s) {
    ++counts_.at(static_cast<std::size_t>(kind));
    if (kind == Kind::same) return;
    if (found_.size() >= options_.limit) {
      more_ = true;
      return;
    }
    found_.push_back({kind, place, cell(s, "id"), cell(s, "user_name"), cell(s, "external_id")});
  }

  Result<void> take(const json::value& s) {
    const bool access = s.at("access").as_bool();
    ++subjects_;
    with_access_ += access ? 1 : 0;
    const auto& value = s.at(options_.link == link_by_id ? "id" : "external_id");
    if (!value.is_string()) {
      add(access ? Kind::no_link : Kind::same, nowhere, s);
      return {};
    }
    const std::string link(value.get_string());
    const auto* listed = list_.find(idp::fingerprint(list_.key(), link));
    const auto place = listed == nullptr ? nowhere : static_cast<std::size_t>(listed - list_.users().data());
    const auto kind = judge(access, listed);
    if (listed == nullptr || matches_[place] == 0) {
      if (listed != nullptr) matches_[place] = 1;
      add(kind, place, s);
      return {};
    }
    if (matches_[place] == 1) {  // whoever was taken for it first is in doubt, too
      DEPROV_TRY(same, api_.call("GET", base_ + "?limit=1000&external_id=" + url_encoded(link)));
      matches_[place] = 2;
      for (const auto& other : same.at("items").as_array()) {
        if (cell(other, "id") >= cell(s, "id")) continue;
        --counts_.at(static_cast<std::size_t>(judge(other.at("access").as_bool(), listed)));
        found_.erase(
            std::remove_if(found_.begin(), found_.end(), [&](const Found& f) { return f.place == place; }),
            found_.end());
        add(Kind::ambiguous, place, other);
      }
    }
    add(Kind::ambiguous, place, s);
    return {};
  }

  Api& api_;
  std::string base_;
  const idp::CompleteSnapshot& list_;
  const SourceOptions& options_;
  std::vector<std::uint8_t> matches_;  ///< of each listed user: nobody, one subject, several
  std::array<std::uint64_t, kind_names.size()> counts_{};
  std::vector<Found> found_;
  std::uint64_t subjects_ = 0;
  std::uint64_t with_access_ = 0;
  bool more_ = false;
};

Result<int> check(const Session& session, const SourceOptions& o) {
  if (o.link != "external_id" && o.link != link_by_id)
    return Error(Errc::invalid_argument, "subjects are not linked by that", "--link " + o.link,
                 "give external_id or id; names and e-mails pass from one person to another");
  // First of all: a list that is not whole says nothing.
  DEPROV_TRY(list, read_list(o));
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  Comparison comparison(*api, "/integrations/" + id + "/subjects", list, o);
  DEPROV_CHECK(comparison.run());
  auto report = comparison.report();
  if (session.as_json) {
    print_json(report);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& d : report.at("differences").as_array())
    rows.push_back(
        {cell(d, "kind"), cell(d, "user_name"), cell(d, "external_id"), cell(d, "subject"), cell(d, "what")});
  if (!rows.empty()) {
    print_table({"DIFFERENCE", "USER NAME", "EXTERNAL ID", "SUBJECT", "WHAT"}, rows);
    if (report.at("more").as_bool()) std::cout << "more: --limit " << o.limit * 10 << "\n";
    std::cout << "\n";
  }
  report.erase("differences");
  print_members(report);
  return exit_ok;
}

}  // namespace

void add_source_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("source", "Where changes come from, besides SCIM");
  group->require_subcommand(1);
  const auto o = std::make_shared<SourceOptions>();
  auto* command = add_command(*group, session, "check",
                              "Compare a full list of who has access with the subjects here; nothing is changed",
                              [&session, o] { return check(session, *o); });
  command->add_option("--integration,integration", session.integration, "Id or name")->required();
  command->add_option("--file", o->file, "The list; - for standard input")->required();
  command->add_option("--format", o->format, "csv, json or jsonl; by default the file's extension");
  command->add_option("--id", o->mapping.id, "Column or path of what subjects are linked by")
      ->capture_default_str();
  command->add_option("--link", o->link, "What of a subject that is: external_id, or id (of SCIM)")
      ->capture_default_str();
  command->add_option("--active", o->mapping.active, "Column or path that says whether somebody has access");
  command->add_option("--active-value", o->active_values,
                      "A value of it that means access (default true, 1, yes, active)");
  command->add_option("--inactive-value", o->inactive_values,
                      "A value of it that means none (default false, 0, no, inactive)");
  command->add_option("--list", o->mapping.list, "JSON: the path of the array, such as Resources or value");
  command->add_option("--delimiter", o->delimiter, "CSV: between fields")->capture_default_str();
  command->add_option("--count", o->count, "How many users the list has, as its source counts");
  command->add_option("--end-marker", o->mapping.end_marker, "The line that ends a list of lines, such as #end");
  command->add_flag("--whole", o->mapping.whole, "You vouch that the file is the whole list (csv, jsonl)");
  command->add_option("--limit", o->limit, "Differences that are shown")->capture_default_str();
  command->footer(
      "A path in JSON is profile.login, or a JSON Pointer. A list that does not show its own end, is empty, or "
      "lists\n"
      "somebody twice is refused: nobody is absent from it. Exit codes: 0 the list was whole, whatever differs.");
}

}  // namespace deprov::cli
