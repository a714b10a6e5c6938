#include "client.hpp"
#include <curl/curl.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cctype>

namespace deprov::conformance {

namespace {

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

std::size_t on_body(const char* data, std::size_t, std::size_t size, void* to) {
  static_cast<std::string*>(to)->append(data, size);
  return size;
}

std::size_t on_header(const char* data, std::size_t, std::size_t size, void* to) {
  const std::string line(data, size);
  auto& headers = *static_cast<std::map<std::string, std::string>*>(to);
  if (line.rfind("HTTP/", 0) == 0) headers.clear();  // of an interim answer
  if (const auto colon = line.find(':'); colon != std::string::npos) {
    auto value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(" \t"));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    headers[lower(line.substr(0, colon))] = value;
  }
  return size;
}

}  // namespace

struct Client::Handle {
  Handle() : curl(curl_easy_init(), curl_easy_cleanup) {}
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl;
};

std::string Reply::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

Client::Client(std::string base, std::string token)
    : base_(std::move(base)), token_(std::move(token)), handle_(std::make_unique<Handle>()) {
  while (!base_.empty() && base_.back() == '/') base_.pop_back();
}

Client::~Client() = default;

Reply Client::send(const std::string& method, const std::string& path, const std::string& body,
                   const Fields& fields) {
  ++requests_;
  auto* curl = handle_->curl.get();
  curl_easy_reset(curl);
  Reply reply;
  std::map<std::string, std::string> all = {{"Accept", "application/scim+json"}, {"Expect", ""}};
  if (!token_.empty()) all["Authorization"] = "Bearer " + token_;
  all["Content-Type"] = body.empty() ? "" : "application/scim+json";
  for (const auto& [name, value] : fields) all[name] = value;
  curl_slist* list = nullptr;
  for (const auto& [name, value] : all)
    list = curl_slist_append(list, (name + ":" + (value.empty() ? "" : " ") + value).c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> keep(list, curl_slist_free_all);

  const auto url = base_ + path;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply.headers);
  if (const auto code = curl_easy_perform(curl); code != CURLE_OK) {
    reply.body = curl_easy_strerror(code);
    return reply;
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  boost::system::error_code error;
  if (!reply.body.empty()) reply.json = boost::json::parse(reply.body, error);
  if (error) reply.json = nullptr;
  return reply;
}

std::string escaped(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(digits[u >> 4U]);
      out.push_back(digits[u & 15U]);
    }
  }
  return out;
}

}  // namespace deprov::conformance
