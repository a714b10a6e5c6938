#include "support/evidence.hpp"
#include <boost/json/parse.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/port/activity_chain.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <fstream>
#include <set>
#include "catch.hpp"

namespace deprov::test {

namespace json = boost::json;

std::vector<EffectLine> read_effects(const std::string& path) {
  std::vector<EffectLine> out;
  std::ifstream in(path);
  for (std::string text; std::getline(in, text);) {
    const auto line = json::parse(text).as_object();
    const auto member = [&](const char* name) { return std::string(line.at(name).as_string()); };
    const auto at = parse_rfc3339(member("at"));
    REQUIRE(at);
    out.push_back({*at, member("op"), member("account"), member("key"), member("effect")});
  }
  return out;
}

Evidence::Evidence(const std::string& data_dir) : crypto_(crypto::make_crypto()) {
  store::SqliteStoreOptions options;
  options.directory = data_dir;
  options.create = false;
  options.readers = 0;  // a view runs inside the call
  auto store = store::open_sqlite_store(*crypto_, options);
  REQUIRE(store);
  store_ = std::move(*store);
}

Evidence::~Evidence() = default;

void Evidence::require_none(const std::string& problem) { REQUIRE(problem == ""); }

void Evidence::verify_chains() {
  std::set<port::Scope> scopes;
  for (const auto& row : integrations()) {
    scopes.insert(row.scope);
    scopes.insert({row.scope.workspace, {}});
  }
  for (const auto& scope : scopes) {
    const auto rows = activity(scope);
    const auto head = port::verify_chain(*crypto_, scope, {}, rows);
    REQUIRE(head);
    REQUIRE(head->seq == rows.size());
    REQUIRE_FALSE(rows.empty());
  }
}

std::vector<port::IntegrationRow> Evidence::integrations() {
  std::vector<port::IntegrationRow> out;
  read([&](port::Reader& reader) -> Result<void> {
    DEPROV_TRY(rows, reader.integrations(std::nullopt));
    out = std::move(rows);
    return {};
  });
  return out;
}

std::vector<port::ActivityRow> Evidence::activity(const port::Scope& scope) {
  std::vector<port::ActivityRow> out;
  read([&](port::Reader& reader) -> Result<void> {
    for (bool more = true; more;) {
      DEPROV_TRY(page, reader.activity(scope, out.empty() ? 0 : out.back().seq, 1000));
      out.insert(out.end(), page.rows.begin(), page.rows.end());
      more = page.more && !page.rows.empty();
    }
    return {};
  });
  return out;
}

std::vector<port::JobRow> Evidence::jobs(const port::Scope& scope, const port::JobFilter& filter) {
  std::vector<port::JobRow> out;
  read([&](port::Reader& reader) -> Result<void> {
    std::optional<JobId> before;
    for (bool more = true; more;) {
      DEPROV_TRY(page, reader.jobs(scope, filter, before, 1000));
      out.insert(out.end(), page.rows.begin(), page.rows.end());
      more = page.more && !page.rows.empty();
      if (more) before = page.rows.back().id;
    }
    return {};
  });
  return out;
}

std::map<port::JobState, std::uint64_t> Evidence::job_counts(const port::Scope& scope) {
  std::map<port::JobState, std::uint64_t> out;
  read([&](port::Reader& reader) -> Result<void> {
    DEPROV_TRY(counts, reader.job_counts(scope));
    out = std::move(counts);
    return {};
  });
  return out;
}

}  // namespace deprov::test
