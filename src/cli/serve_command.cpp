// `serve`: the library behind an HTTP server, until a signal ends it.
#include <signal.h>
#include <atomic>
#include <deprov/connectors/connectors.hpp>
#include <deprov/server/server.hpp>
#include <iostream>
#include <string_view>
#include <vector>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct ServeOptions {
  std::string listen = "127.0.0.1:8080";
  std::string certificate;
  std::string key;
  std::size_t threads = 1;
  std::size_t max_connections = 1024;
  std::int64_t grace_seconds = 10;
  std::string metrics_token_file;
  std::string ops_listen;
  std::vector<std::string> connectors;
  std::vector<std::string> config_files;
  std::string egress{to_string(http::Egress::own_networks)};
};

std::string server_metrics(const server::ServerCounters& c) {
  std::string out;
  const auto add = [&](std::string_view name, std::string_view type, std::uint64_t value, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n").append(name).append(" ");
    out.append(std::to_string(value)).append("\n");
  };
  add("deprov_server_connections", "gauge", c.connections_now, "Connections that are open.");
  add("deprov_server_connections_total", "counter", c.connections_total, "Connections since the start.");
  add("deprov_server_connections_rejected_total", "counter", c.connections_rejected,
      "Connections over the bound, answered 503.");
  add("deprov_server_requests_in_flight", "gauge", c.requests_now, "Requests that are being worked on.");
  add("deprov_server_requests_refused_total", "counter", c.requests_refused,
      "Requests that the server itself answered 4xx or 5xx.");
  add("deprov_server_streams", "gauge", c.streams_now, "Event streams that are open.");
  add("deprov_server_timeouts_total", "counter", c.timeouts, "Connections cut off for being slow.");
  add("deprov_server_tls_failures_total", "counter", c.tls_failures, "TLS handshakes that failed.");
  add("deprov_server_received_bytes_total", "counter", c.bytes_received, "Bytes received, without TLS.");
  add("deprov_server_sent_bytes_total", "counter", c.bytes_sent, "Bytes sent, without TLS.");
  return out;
}

/// The token of `/metrics`, without the white space around it.
Result<std::string> metrics_token(const std::string& file) {
  if (file.empty()) return std::string{};
  DEPROV_TRY(text, read_text_file(file, "--metrics-token-file"));
  constexpr std::string_view space = " \t\r\n";
  const auto from = text.find_first_not_of(space);
  if (from != std::string::npos) text = text.substr(from, text.find_last_not_of(space) - from + 1);
  if (from == std::string::npos || text.size() < 16 || text.find_first_of(space) != std::string::npos) {
    return Error(Errc::invalid_argument, "has to hold one token of at least 16 characters",
                 "--metrics-token-file " + file, "make one with `openssl rand -hex 32`");
  }
  return text;
}

/// Waits for signals until one of them ends the server.
void wait_for_end(const sigset_t& signals, const Session& session, const ServeOptions& options,
                  server::Server& server) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    if (options.certificate.empty()) continue;
    if (auto ok = server.reload_tls(); !ok) print_error(ok.error(), session.as_json);
  }
}

Result<int> serve(const Session& session, const ServeOptions& options) {
  server::ServerOptions server_options;
  if (auto ok = server::parse_listen(options.listen, server_options); !ok)
    return Error(Errc::invalid_argument, ok.error().detail(), "--listen", ok.error().advice());
  if (options.certificate.empty() != options.key.empty()) {
    return Error(Errc::invalid_argument, "certificate and key belong together", "--tls-cert, --tls-key",
                 "give both or neither");
  }
  server::ServerOptions ops_options;
  if (!options.ops_listen.empty()) {
    if (auto ok = server::parse_listen(options.ops_listen, ops_options); !ok)
      return Error(Errc::invalid_argument, ok.error().detail(), "--ops-listen", ok.error().advice());
  }
  const auto known = builtin_connectors();
  for (const auto& id : options.connectors) {
    if (known.contains(id)) continue;
    std::string words;
    for (const auto& [word, kind] : known) words += (words.empty() ? "" : ", ") + word;
    return Error(Errc::invalid_argument, "this program knows no connector \"" + id + "\"", "--connectors",
                 "use some of: " + words);
  }
  DEPROV_TRY(token, metrics_token(options.metrics_token_file));
  server_options.threads = options.threads;
  server_options.max_connections = options.max_connections;
  server_options.tls_certificate_file = options.certificate;
  server_options.tls_key_file = options.key;
  server_options.on_error = [as_json = session.as_json](const Error& e) { print_error(e, as_json); };
  const std::string scheme = options.certificate.empty() ? "http" : "https";

  // Every thread made from here on leaves these to `wait_for_end`.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::unique_ptr<Instance> instance;
  std::atomic<server::Server*> counted{nullptr};
  InstanceOptions instance_options;
  instance_options.directory = session.data;
  instance_options.create = false;
  instance_options.scim.scheme = scheme;
  instance_options.config_directories = options.config_files;
  if (!options.connectors.empty()) instance_options.connector_ids = options.connectors;
  instance_options.ops.token = token;
  if (!options.ops_listen.empty()) instance_options.ops.metrics = service::OpsOptions::Metrics::nobody;
  instance_options.egress = http::egress_from(options.egress).value_or(http::Egress::own_networks);
  instance_options.more_metrics = [&counted] {
    const auto* s = counted.load();
    return s != nullptr ? server_metrics(s->counters()) : std::string{};
  };
  DEPROV_TRY(plugins, session.plugins());
  instance_options.plugins = std::move(plugins);
  DEPROV_TRY(opened, open_instance(std::move(instance_options)));
  instance = std::move(opened);
  for (const auto& fault : instance->engine().faults())
    print_error(Error(Errc::unavailable, "it cannot be used, since what is stored of it is refused: " + fault.why,
                      "integration \"" + fault.name + "\"",
                      "set its policy or schemas anew, or delete it; the others are served"),
                session.as_json);
  DEPROV_TRY(server, server::Server::start(server_options, instance->handler()));
  counted = server.get();
  std::unique_ptr<server::Server> ops_server;
  if (!options.ops_listen.empty()) {
    ops_options.on_error = server_options.on_error;
    DEPROV_TRY(started, server::Server::start(ops_options, instance->ops().inner()));
    ops_server = std::move(started);
  }
  const auto url_of = [](const std::string& how, const std::string& host, std::uint16_t port) {
    return how + "://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
           std::to_string(port);
  };
  const auto url = url_of(scheme, server_options.host, server->port());
  const auto ops_url = ops_server ? url_of("http", ops_options.host, ops_server->port()) : std::string{};
  if (session.as_json) {
    json::object listening{{"listening", url}};
    if (ops_server) listening["ops_listening"] = ops_url;
    print_json(listening);
  } else {
    std::cout << "deprov listens on " << url;
    if (ops_server) std::cout << ", for health and metrics on " << ops_url;
    std::cout << std::endl;
  }
  wait_for_end(signals, session, options, *server);
  instance->ops().set_ready(false);
  const auto stopped = server->stop(std::chrono::seconds(options.grace_seconds));
  if (ops_server) (void)ops_server->stop(std::chrono::seconds(1));
  const auto closed = instance->close(std::chrono::seconds(options.grace_seconds));
  counted = nullptr;
  if (!stopped) print_error(stopped.error(), session.as_json);
  if (!closed) print_error(closed.error(), session.as_json);
  return exit_ok;
}

}  // namespace

void add_serve_command(CLI::App& program, Session& session) {
  auto options = std::make_shared<ServeOptions>();
  auto* command = add_plain_command(program, session, "serve",
                                    "Serve SCIM, the admin API, health and metrics until SIGTERM or SIGINT; "
                                    "SIGHUP loads the certificate again",
                                    [&session, options] { return serve(session, *options); });
  command->add_option("--data", session.data, "Data directory, made by `deprov init`")->required();
  command->add_option("--listen", options->listen, "HOST:PORT; port 0 takes any free one")->capture_default_str();
  command->add_option("--tls-cert", options->certificate, "PEM file with the certificate chain");
  command->add_option("--tls-key", options->key, "PEM file with its key");
  command->add_option(
      "--metrics-token-file", options->metrics_token_file,
      "File with a token that /metrics asks for, from everywhere; without it, and without --ops-listen, "
      "/metrics is for this machine alone");
  command->add_option(
      "--ops-listen", options->ops_listen,
      "HOST:PORT of a listener without TLS for /healthz, /readyz and /metrics alone; /metrics is then "
      "not at --listen");
  command
      ->add_option("--connectors", options->connectors,
                   "Kinds of connectors that integrations may use, with a comma between (default: all)")
      ->delimiter(',');
  command
      ->add_option("--config-files", options->config_files,
                   "Directory beneath which integrations that are made or changed through the API may name files "
                   "(an app of the sandbox, ca_file); may be repeated (default: none)")
      ->check(CLI::ExistingDirectory);
  command->add_option("--threads", options->threads, "Threads for connections")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--max-connections", options->max_connections, "More are answered 503")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command
      ->add_option("--egress", options->egress,
                   "Where integrations may connect to: any; own_networks (all but link-local addresses); internet "
                   "(no private networks either)")
      ->check(CLI::IsMember({"any", "own_networks", "internet"}))
      ->capture_default_str();
  add_plugin_options(*command, session);
  command->add_option("--grace", options->grace_seconds, "Seconds to finish in when it is stopped")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
}

}  // namespace deprov::cli
