#include "cli/source_options.hpp"
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <deprov/idp/feed.hpp>
#include <string_view>
#include <utility>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

Result<std::string> format_of(const SourceOptions& o) {
  auto name = o.format;
  if (name.empty()) {
    const auto dot = o.file.rfind('.');
    if (dot != std::string::npos) name = o.file.substr(dot + 1);
  }
  if (name != "csv" && name != "json" && name != "jsonl")
    return Error(Errc::invalid_argument, "it does not say how the list is written", "--format " + name,
                 "give one of csv, json and jsonl");
  return name;
}

/// `NAME_file` in place of `NAME`: what a file holds, such as a key, is read here, and need not be made a text of
/// JSON.
Result<void> read_named_files(json::object& config, const std::string& where) {
  constexpr std::string_view ending = "_file";
  std::vector<std::string> names;
  for (const auto& [name, value] : config)
    if (name.ends_with(ending) && value.is_string()) names.emplace_back(name);
  for (const auto& name : names) {
    const auto member = name.substr(0, name.size() - ending.size());
    if (config.contains(member))
      return Error(Errc::invalid_argument, "stands beside " + member, where + name, "give one of the two");
    DEPROV_TRY(text, read_secret_file(std::string(config.at(name).get_string()), where + name));
    config[member] = text;
    config.erase(name);
  }
  return {};
}

}  // namespace

Result<json::object> list_config(const SourceOptions& o, bool needs_format) {
  if (o.link != "external_id" && o.link != "id")
    return Error(Errc::invalid_argument, "subjects are not linked by that", "--link " + o.link,
                 "give external_id or id; names and e-mails pass from one person to another");
  if (o.delimiter.size() != 1 && o.delimiter != "\\t")
    return Error(Errc::invalid_argument, "it is not one character", "--delimiter " + o.delimiter);
  json::object config{{"id", o.id}, {"link", o.link}};
  if (needs_format || !o.format.empty()) {
    DEPROV_TRY(format, format_of(o));
    config["format"] = format;
  }
  if (!o.active.empty()) config["active"] = o.active;
  if (!o.active_values.empty())
    config["active_values"] = json::array(o.active_values.begin(), o.active_values.end());
  if (!o.inactive_values.empty())
    config["inactive_values"] = json::array(o.inactive_values.begin(), o.inactive_values.end());
  if (!o.list.empty()) config["list"] = o.list;
  if (o.delimiter != ",") config["delimiter"] = o.delimiter == "\\t" ? std::string("\t") : o.delimiter;
  if (!o.end_marker.empty()) config["end_marker"] = o.end_marker;
  if (o.whole) config["whole"] = true;
  if (!o.inactive_cause.empty()) config["inactive_cause"] = o.inactive_cause;
  if (o.max_users) config["max_users"] = *o.max_users;
  if (!o.links_file.empty()) {
    DEPROV_TRY(links, read_json_file(o.links_file, "--links"));
    config["links"] = std::move(links);
  }
  return config;
}

Result<void> read_config_files(json::object& object) {
  if (const auto* ca = object.if_contains("ca_file");
      ca != nullptr && ca->is_string() && !object.contains("ca_pem")) {
    DEPROV_TRY(pem, read_text_file(std::string(ca->get_string()), "config/ca_file"));
    object["ca_pem"] = pem;
    object.erase("ca_file");
  }
  if (auto* auth = object.if_contains("auth"); auth != nullptr && auth->is_object())
    DEPROV_CHECK(read_named_files(auth->get_object(), "config/auth/"));
  return {};
}

Result<json::object> polled_config(const SourceOptions& o) {
  DEPROV_TRY(config, read_json_file(o.config_file, "--config"));
  if (!config.is_object())
    return Error(Errc::invalid_argument, "it is not a JSON object", "--config " + o.config_file);
  auto& object = config.get_object();
  DEPROV_CHECK(read_config_files(object));
  if (!o.links_file.empty()) {
    DEPROV_TRY(links, read_json_file(o.links_file, "--links"));
    object["links"] = std::move(links);
  }
  if (!o.inactive_cause.empty()) object["inactive_cause"] = o.inactive_cause;
  if (o.max_users) object["max_users"] = *o.max_users;
  if (o.link != "external_id") object["link"] = o.link;
  return std::move(object);
}

std::string feed_names() {
  std::string names;
  for (const auto& kind : idp::feed_kinds()) names.append(names.empty() ? "" : ", ").append(kind.name);
  return names;
}

Error at_option(const Error& error, const SourceOptions& o, bool events) {
  if (error.code() != Errc::invalid_argument) return error;
  if (error.where() == "kind") return {error.code(), error.detail(), "--kind " + o.kind, error.advice()};
  const auto at = error.where().rfind("config");
  if (at == std::string::npos) return error;
  if (at + 6 == error.where().size() && o.config_file.empty())  // something that it has to have is not there
    return {error.code(), error.detail(), "--kind " + o.kind, error.advice()};
  if (!o.config_file.empty())
    return {error.code(), error.detail(), "--config " + o.config_file + ": " + error.where().substr(at),
            error.advice()};
  if (events) return at_event_option(error);
  auto option = error.where().substr(std::min(error.where().size(), at + 7));
  std::replace(option.begin(), option.end(), '_', '-');
  return {error.code(), error.detail(), "--" + option.substr(0, option.find('/')), error.advice()};
}

Result<void> options_fit(const SourceOptions& o, bool events, bool polled) {
  constexpr std::array<std::string_view, 9> of_lists = {
      "--format", "--id",        "--active",     "--active-value", "--inactive-value",
      "--list",   "--delimiter", "--end-marker", "--whole"};
  constexpr std::array<std::string_view, 3> not_of_events = {"--link", "--inactive-cause", "--max-users"};
  constexpr std::array<std::string_view, 3> of_polled = {"--config", "--floor", "--ceiling"};
  for (const auto* option : o.command->get_options()) {
    if (option->count() == 0) continue;
    const auto name = option->get_name();
    const auto among = [&](const auto& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool wrong = (option->get_group() == event_options_group && !events) ||
                       (among(of_lists) && (events || polled)) || (among(not_of_events) && events) ||
                       (among(of_polled) && !polled);
    if (wrong)
      return Error(Errc::invalid_argument, "does not belong to a source of kind " + o.kind, name, "leave it out");
  }
  return {};
}

}  // namespace deprov::cli
