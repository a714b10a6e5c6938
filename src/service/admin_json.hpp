// Rows as the admin API shows them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/port/store.hpp>
#include <string>

namespace deprov::service {

namespace json = boost::json;

[[nodiscard]] json::value time_json(WallTime t);  ///< null for the zero time
template <class IdType>
[[nodiscard]] json::value id_json(const IdType& id) {
  if (id.is_nil()) return nullptr;
  return json::value(id.str());
}
[[nodiscard]] std::string hash_text(const port::Sha256& hash);
[[nodiscard]] std::string scim_base_path(IntegrationId id);

[[nodiscard]] json::object to_json(const port::WorkspaceRow& row);
[[nodiscard]] json::object to_json(const port::PrincipalRow& row);
[[nodiscard]] json::object to_json(const port::IntegrationRow& row);
[[nodiscard]] json::object to_json(const port::ActivityRow& row);
/// With the subject's user name, where the reader has it.
[[nodiscard]] Result<json::object> job_json(port::Reader& reader, const port::JobRow& row, bool with_steps);
/// Access, intent, binding and newest job of one user.
[[nodiscard]] Result<json::object> subject_json(port::Reader& reader, const port::ResourceRow& row);

/// When access had ended in the app: what cannot be undone may follow long after that. 0: not yet.
[[nodiscard]] WallTime access_ended(const port::JobRow& row);

/// The roll-up of DESIGN section 4, and the jobs by state.
[[nodiscard]] Result<json::object> status_json(port::Reader& reader, const port::Scope& scope);

}  // namespace deprov::service
