// `serve`: the library behind an HTTP server, until a signal ends it.
#include <signal.h>
#include <atomic>
#include <deprov/server/server.hpp>
#include <iostream>
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
  instance_options.egress = http::egress_from(options.egress).value_or(http::Egress::own_networks);
  instance_options.more_metrics = [&counted] {
    const auto* s = counted.load();
    return s != nullptr ? server_metrics(s->counters()) : std::string{};
  };
  DEPROV_TRY(opened, open_instance(std::move(instance_options)));
  instance = std::move(opened);
  DEPROV_TRY(server, server::Server::start(server_options, instance->handler()));
  counted = server.get();
  const auto host =
      server_options.host.find(':') == std::string::npos ? server_options.host : "[" + server_options.host + "]";
  const auto url = scheme + "://" + host + ":" + std::to_string(server->port());
  if (session.as_json) {
    print_json(json::object{{"listening", url}});
  } else {
    std::cout << "deprov listens on " << url << std::endl;
  }
  wait_for_end(signals, session, options, *server);
  instance->ops().set_ready(false);
  const auto stopped = server->stop(std::chrono::seconds(options.grace_seconds));
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
  command->add_option("--grace", options->grace_seconds, "Seconds to finish in when it is stopped")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
}

}  // namespace deprov::cli
