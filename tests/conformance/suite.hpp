// Checks of a SCIM service provider, each with an id and the section of the RFC from which it follows.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#include "client.hpp"

namespace deprov::conformance {

namespace json = boost::json;

inline const std::string user_schema = "urn:ietf:params:scim:schemas:core:2.0:User";
inline const std::string group_schema = "urn:ietf:params:scim:schemas:core:2.0:Group";
inline const std::string enterprise_schema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
inline const std::string patch_schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
inline const std::string list_schema = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
inline const std::string search_schema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
inline const std::string error_schema = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Thrown by a check: the service provider does otherwise than the RFC says.
struct Failed {
  std::string why;
};
/// Thrown by a check: the service provider does not offer what the check is about.
struct Skipped {
  std::string why;
};

/// What the service provider says about itself.
struct Facts {
  struct Type {
    std::string name;
    std::string endpoint;
    std::string schema;
    std::vector<std::string> extensions;
    std::vector<std::string> required_extensions;  ///< of `extensions`
  };
  json::object config;
  std::map<std::string, json::object> schemas;  ///< by URN
  std::vector<Type> types;

  /// Of a feature such as "bulk".
  [[nodiscard]] bool supports(std::string_view feature) const;
  [[nodiscard]] bool pages_by_cursor() const;
  [[nodiscard]] const Type* type(std::string_view name) const;
};

/// Parses what is written in a check.
[[nodiscard]] json::value J(std::string_view text);
/// By JSON pointer; null if there is no such place.
[[nodiscard]] json::value at(const json::value& in, std::string_view pointer);
/// The array there; std::invalid_argument where it is none. A copy, so that loops over it are safe.
[[nodiscard]] json::array items(const json::value& in, std::string_view pointer);
[[nodiscard]] std::string text(const json::value& in, std::string_view pointer);
/// Members in any order and case of names, arrays in any order.
[[nodiscard]] bool same(const json::value& a, const json::value& b);
/// Whether every member of `part` is in `whole` with the same value; arrays of `part` have to be in those of
/// `whole`.
[[nodiscard]] bool holds(const json::value& whole, const json::value& part);
/// Whether a null, an absent one or an empty array stands there.
[[nodiscard]] bool unassigned(const json::value& in, std::string_view pointer);

/// In any case.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
/// Whether it can be written at any time and is seen in a GET.
[[nodiscard]] bool is_plain(const json::value& definition);
/// A good value of an attribute as /Schemas describes it; `n` makes another one. Sub-attributes that are not plain
/// are left out unless they are required.
[[nodiscard]] json::value sample(const json::value& definition, int n, const std::string& unique);
/// Puts in what a body of the type has to have and does not: required attributes of its core schema, of its
/// required extensions, and of those others that the body has.
void fill_required(const Facts& facts, const Facts::Type& type, json::object& body, const std::string& unique);

/// What a check works with. Everything that it makes is deleted after it.
class Run {
 public:
  Run(Client& client, const Facts& facts_of_it, std::string unique);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Client& http;
  const Facts& facts;

  /// Another name at each call, with the same beginning throughout the run.
  std::string name(std::string_view tail = "u");
  [[nodiscard]] const std::string& prefix() const noexcept { return unique_; }

  /// POSTs a User with a name of its own and these members besides; the 201 answer's body.
  json::value user(const json::object& more = {});
  json::value group(const std::vector<std::string>& member_ids = {}, const json::object& more = {});
  /// A User as `user` would POST it: with whatever is required there.
  json::object user_body(const json::object& more = {});
  json::object group_body(const json::object& more = {});
  /// The body with what resources of the type have to have there, as far as its discovery says so.
  json::object filled(std::string_view type, json::object body);
  /// Remembers what has to be deleted.
  void made(const std::string& path);
  Reply post(const std::string& endpoint, const json::value& body, const Fields& fields = {});
  Reply get(const std::string& path, const Fields& fields = {}) { return http.send("GET", path, {}, fields); }
  Reply put(const std::string& path, const json::value& body, const Fields& fields = {});
  /// `operations`: an array.
  Reply patch(const std::string& path, const json::value& operations, const Fields& fields = {});
  Reply del(const std::string& path, const Fields& fields = {}) { return http.send("DELETE", path, {}, fields); }

  /// GET that has to succeed.
  json::value read(const std::string& path);
  /// PATCH that has to succeed; the resource afterwards, which has to be the one in the answer if there is one.
  json::value patched(const std::string& path, const json::value& operations);
  /// PATCH that has to be refused with 400, one of these scimTypes, and without any effect.
  void patch_refused(const std::string& path, const json::value& operations,
                     std::initializer_list<std::string_view> types);
  /// The ids among `of` that the filter finds, over all pages.
  std::set<std::string> found(const std::string& endpoint, const std::string& filter,
                              const std::set<std::string>& of);

  void expect(bool truth, const std::string& otherwise) const;
  void status(const Reply& reply, std::initializer_list<int> allowed, const std::string& what = {}) const;
  /// A SCIM error with that status and one of these types; no type in the list: any.
  void error(const Reply& reply, int code, std::initializer_list<std::string_view> types = {}) const;
  /// A ListResponse in the RFC's form.
  void list(const Reply& reply) const;
  void needs(bool offered, const std::string& what) const;

 private:
  std::string unique_;
  int counter_ = 0;
  std::vector<std::string> made_;
};

struct Check {
  std::string id;       ///< unique; stands in RFC.md
  std::string section;  ///< "7644 3.5.2.1"
  std::string title;
  std::function<void(Run&)> run;
};

using Checks = std::vector<Check>;

void add_discovery(Checks& to);
void add_resources(Checks& to);
void add_errors(Checks& to);
void add_patch(Checks& to);
void add_patch_remove_replace(Checks& to);
void add_group_patch(Checks& to);
void add_filters(Checks& to);
void add_projection(Checks& to);
void add_paging(Checks& to);
void add_search(Checks& to);
void add_cursor(Checks& to);
void add_sort(Checks& to);
void add_etags(Checks& to);
void add_bulk(Checks& to);
/// Checks that follow from each attribute of each resource type: their ids are "attr-<family>-<Type>.<attribute>".
void add_attributes(Checks& to, const Facts& facts);
[[nodiscard]] const std::vector<std::string>& attribute_families();

enum class Verdict { pass, fail, skipped };
struct Outcome {
  std::string id, section, title;
  Verdict verdict = Verdict::pass;
  std::string note;  ///< why it failed or was skipped
};

/// Asks the service provider about itself. Throws Failed.
[[nodiscard]] Facts discover(Client& client);
/// All checks, those of attributes included. With `only`, those whose id begins with it.
[[nodiscard]] std::vector<Outcome> run_all(Client& client, const std::string& only = {});
/// The ids of all checks, without asking anybody; those made for each attribute as one, which ends in "-*".
[[nodiscard]] std::vector<std::string> all_ids();
/// Grouped by section, for people.
[[nodiscard]] std::string report(const std::vector<Outcome>& outcomes, bool failures_only = false);
[[nodiscard]] json::object report_json(const std::vector<Outcome>& outcomes);

}  // namespace deprov::conformance
