#pragma once
#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <deprov/idp/impl/snapshot_record.ipp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp::detail {

namespace json = boost::json;

/// The paths of a mapping as a tree: what is read of a document, everything else is passed over.
struct JsonShape {
  static constexpr int ignored = -1;
  struct Node {
    std::vector<std::pair<std::string, int>> next;
    unsigned fields = 0;  ///< a bit for each SnapshotField that this is
    bool list = false;
  };
  std::vector<Node> nodes;
  int document = ignored;  ///< JSON Lines has none: each line is a record
  int record = ignored;

  [[nodiscard]] int find(int node, std::string_view key) const noexcept {
    if (node == ignored) return ignored;
    for (const auto& [name, child] : nodes[static_cast<std::size_t>(node)].next)
      if (name == key) return child;
    return ignored;
  }

  static std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    const bool pointer = path.starts_with('/');
    const char separator = pointer ? '/' : '.';
    if (pointer) path.remove_prefix(1);
    while (true) {
      const auto at = path.find(separator);
      std::string part(path.substr(0, at));
      if (pointer) {
        for (const auto& [from, to] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
          for (std::size_t i = 0; (i = part.find(from, i)) != std::string::npos; ++i) part.replace(i, 2, to);
      }
      parts.push_back(std::move(part));
      if (at == std::string_view::npos) return parts;
      path.remove_prefix(at + 1);
    }
  }

  int add(int root, std::string_view path) {
    int at = root;
    for (auto& part : split(path)) {
      int next = find(at, part);
      if (next == ignored) {
        next = static_cast<int>(nodes.size());
        nodes.emplace_back();
        nodes[static_cast<std::size_t>(at)].next.emplace_back(std::move(part), next);
      }
      at = next;
    }
    return at;
  }

  static Result<JsonShape> of(const SnapshotMapping& mapping, bool lines) {
    JsonShape shape;
    shape.nodes.emplace_back();
    shape.record = 0;
    for (unsigned f = 0; f < snapshot_fields; ++f) {
      const auto& path = path_of(mapping, f);
      if (path.empty()) continue;
      shape.nodes[static_cast<std::size_t>(shape.add(shape.record, path))].fields |= 1U << f;
    }
    for (const auto& n : shape.nodes)
      if (n.fields != 0 && !n.next.empty())
        return Error(Errc::invalid_argument, "one path leads through what another one names as a value", "mapping",
                     "name values, not the objects that they are in");
    if (lines) return shape;
    shape.document = static_cast<int>(shape.nodes.size());
    shape.nodes.emplace_back();
    const int list = mapping.list.empty() ? shape.document : shape.add(shape.document, mapping.list);
    shape.nodes[static_cast<std::size_t>(list)].list = true;
    return shape;
  }
};

/// Boost.JSON's events into records. Where it refuses, `out` has the failure.
class JsonRecordHandler {
 public:
  using error_code = boost::system::error_code;
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  JsonRecordHandler(const JsonShape& shape, RecordSink& out, std::size_t max_record_bytes)
      : shape_(shape), out_(out), max_bytes_(max_record_bytes) {}

  [[nodiscard]] bool list_seen() const noexcept { return lists_ != 0; }

  bool on_document_begin(error_code&) {
    frames_.clear();
    key_.clear();
    return true;
  }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) {
    const int node = take();
    if (node != JsonShape::ignored && (at(node).fields != 0 || at(node).list)) return wrong_type(node, ec);
    if (node == shape_.record && !in_record_) {
      in_record_ = true;
      record_depth_ = frames_.size();
      present_ = nulls_ = 0;
    }
    frames_.push_back({node, Kind::object});
    return spend(2, ec);
  }
  bool on_object_end(std::size_t, error_code& ec) {
    frames_.pop_back();
    if (in_record_ && frames_.size() == record_depth_) return emit(ec);
    return true;
  }
  bool on_array_begin(error_code& ec) {
    const int node = take();
    if (node != JsonShape::ignored && at(node).list) {
      if (++lists_ > 1) return refuse(ec, Errc::invalid_syntax, "the list stands in the document twice");
      frames_.push_back({shape_.record, Kind::list});
      return true;
    }
    if (is_bare_record(node) || (node != JsonShape::ignored && at(node).fields != 0)) return wrong_type(node, ec);
    frames_.push_back({JsonShape::ignored, Kind::array});
    return spend(2, ec);
  }
  bool on_array_end(std::size_t, error_code&) {
    frames_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view s, std::size_t, error_code& ec) {
    key_.append(s.data(), s.size());
    return spend(s.size(), ec);
  }
  bool on_key(json::string_view s, std::size_t, error_code& ec) {
    if (key_.empty()) {
      child_ = shape_.find(frames_.back().node, {s.data(), s.size()});
    } else {
      key_.append(s.data(), s.size());
      child_ = shape_.find(frames_.back().node, key_);
      key_.clear();
    }
    return spend(s.size() + 3, ec);
  }
  bool on_string_part(json::string_view s, std::size_t, error_code& ec) {
    text_.append(s.data(), s.size());
    return spend(s.size(), ec);
  }
  bool on_string(json::string_view s, std::size_t, error_code& ec) {
    const int node = take();
    bool ok = true;
    if (text_.empty()) {
      ok = scalar(node, {s.data(), s.size()}, ec);
    } else {
      text_.append(s.data(), s.size());
      ok = scalar(node, text_, ec);
      text_.clear();
    }
    return ok && spend(s.size() + 3, ec);
  }
  bool on_number_part(json::string_view s, error_code& ec) { return spend(s.size(), ec); }
  bool on_int64(std::int64_t i, json::string_view, error_code& ec) { return number(i, ec); }
  bool on_uint64(std::uint64_t u, json::string_view, error_code& ec) { return number(u, ec); }
  bool on_double(double, json::string_view, error_code& ec) {
    const int node = take();
    if (node == JsonShape::ignored || (at(node).fields == 0 && !at(node).list && !is_bare_record(node)))
      return spend(8, ec);
    return wrong_type(node, ec);
  }
  bool on_bool(bool b, error_code& ec) { return scalar(take(), b ? "true" : "false", ec) && spend(5, ec); }
  bool on_null(error_code& ec) {
    const int node = take();
    if (node == JsonShape::ignored) return spend(4, ec);
    if (is_bare_record(node) || at(node).list) return wrong_type(node, ec);
    if ((present_ & at(node).fields) != 0) return twice(node, ec);
    present_ |= at(node).fields;
    nulls_ |= at(node).fields;
    return spend(4, ec);
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  enum class Kind : std::uint8_t { object, array, list };
  struct Frame {
    int node;
    Kind kind;
  };

  [[nodiscard]] const JsonShape::Node& at(int node) const { return shape_.nodes[static_cast<std::size_t>(node)]; }
  /// The place of the value that begins.
  int take() {
    if (frames_.empty()) return shape_.document != JsonShape::ignored ? shape_.document : shape_.record;
    switch (frames_.back().kind) {
      case Kind::object: return child_;
      case Kind::list: return shape_.record;
      case Kind::array: break;
    }
    return JsonShape::ignored;
  }
  /// Where a record is expected; inside one, its root is nowhere.
  [[nodiscard]] bool is_bare_record(int node) const noexcept { return node == shape_.record && !in_record_; }

  bool scalar(int node, std::string_view text, error_code& ec) {
    if (node == JsonShape::ignored) return true;
    const auto& n = at(node);
    if (is_bare_record(node) || n.list) return wrong_type(node, ec);
    if (n.fields == 0) return true;
    if ((present_ & n.fields) != 0) return twice(node, ec);
    present_ |= n.fields;
    for (unsigned f = 0; f < snapshot_fields; ++f)
      if ((n.fields & (1U << f)) != 0) values_.at(f).assign(text);
    return true;
  }
  template <class Integer>
  bool number(Integer value, error_code& ec) {
    const int node = take();
    if (node == JsonShape::ignored) return spend(8, ec);
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return scalar(node, {digits.data(), static_cast<std::size_t>(end - digits.data())}, ec) && spend(8, ec);
  }
  bool emit(error_code& ec) {
    in_record_ = false;
    spent_ = 0;
    const auto there = present_ & ~nulls_;
    const auto value = [&](unsigned f) {
      return (there & (1U << f)) != 0 ? std::string_view(values_.at(f)) : std::string_view{};
    };
    std::optional<std::string_view> active;
    if ((there & (1U << field_active)) != 0) active = value(field_active);
    if (out_.emit({value(field_id), value(field_external_id), value(field_user_name), value(field_email), true},
                  active))
      return true;
    ec = make_error_code(Errc::invalid_value);
    return false;
  }
  bool refuse(error_code& ec, Errc code, std::string detail, std::string advice = {}) {
    (void)out_.refuse_next(code, std::move(detail), std::move(advice));
    ec = make_error_code(code);
    return false;
  }
  bool wrong_type(int node, error_code& ec) {
    if (at(node).list)
      return refuse(ec, Errc::invalid_value, "the list is no array", "name the path of the array of users (list)");
    if (node == shape_.record) return refuse(ec, Errc::invalid_value, "it is no object");
    return refuse(ec, Errc::invalid_value, name_of(node) + " is neither a string, an integer nor a boolean",
                  "map what holds one value");
  }
  bool twice(int node, error_code& ec) {
    return refuse(ec, Errc::invalid_syntax,
                  name_of(node) + " stands in it twice; which one counts would be a guess");
  }
  [[nodiscard]] std::string name_of(int node) const {
    for (unsigned f = 0; f < snapshot_fields; ++f)
      if ((at(node).fields & (1U << f)) != 0) return "\"" + path_of(out_.mapping(), f) + "\"";
    return "a value";
  }
  /// Bounds a record; what is outside of records is bounded as if it were one.
  bool spend(std::size_t bytes, error_code& ec) {
    spent_ += bytes;
    if (spent_ <= max_bytes_) return true;
    return refuse(ec, Errc::limit_exceeded,
                  "it has more than max_record_bytes (" + std::to_string(max_bytes_) + ")");
  }

  const JsonShape& shape_;
  RecordSink& out_;
  std::size_t max_bytes_;
  std::vector<Frame> frames_;
  int child_ = JsonShape::ignored;
  std::string key_, text_;
  bool in_record_ = false;
  std::size_t record_depth_ = 0;
  std::size_t spent_ = 0;
  unsigned present_ = 0, nulls_ = 0;
  std::size_t lists_ = 0;
  std::array<std::string, snapshot_fields> values_;
};

/// One document, or one a line.
class JsonSnapshotReader final : public SnapshotReader {
 public:
  JsonSnapshotReader(JsonShape shape, SnapshotMapping mapping, SnapshotReaderLimits limits, SnapshotUserSink sink)
      : shape_(std::move(shape)),
        lines_(shape_.document == JsonShape::ignored),
        out_(std::move(mapping), std::move(sink)),
        parser_(options(limits), shape_, out_, limits.max_record_bytes) {}

  Result<void> feed(std::string_view bytes) override {
    if (out_.failure()) return *out_.failure();
    if (!lines_) return document(bytes);
    while (!bytes.empty()) {
      const auto n = bytes.find('\n');
      DEPROV_CHECK(line(bytes.substr(0, n)));
      if (n == std::string_view::npos) break;
      DEPROV_CHECK(end_of_line());
      bytes.remove_prefix(n + 1);
    }
    return {};
  }

  Result<EndOfList> end(std::optional<std::uint64_t> users) override {
    if (out_.failure()) return *out_.failure();
    if (lines_) return out_.end_of_lines(users, marked_, line_ != Line::start);
    boost::system::error_code ec;
    if (started_ && !parser_.done()) parser_.write_some(false, "", 0, ec);
    if (!parser_.done() || ec)
      return out_.keep(Error(Errc::protocol, "the document ends before it is closed",
                             "after record " + std::to_string(out_.records()), "it was cut off: read it again"));
    if (!parser_.handler().list_seen())
      return out_.keep(Error(Errc::protocol, "there is no array at \"" + out_.mapping().list + "\"",
                             "the document", "name the path of the array of users (list)"));
    if (users) return EndOfList::counted(*users);
    return EndOfList::seen();
  }
  [[nodiscard]] std::uint64_t records() const noexcept override { return out_.records(); }

 private:
  enum class Line { start, record, marker };

  static json::parse_options options(const SnapshotReaderLimits& limits) {
    json::parse_options o;
    o.max_depth = limits.max_depth;
    return o;
  }

  Error syntax(const boost::system::error_code& ec) {
    if (out_.failure()) return *out_.failure();
    return out_.refuse_next(Errc::invalid_syntax, "it is no JSON: " + ec.message());
  }

  Result<void> document(std::string_view bytes) {
    if (!started_) {  // a byte order mark may come in three pieces
      while (mark_ < 3 && !bytes.empty() && bytes.front() == "\xEF\xBB\xBF"[mark_]) {
        ++mark_;
        bytes.remove_prefix(1);
      }
      if (bytes.empty()) return {};
      if (mark_ != 0 && mark_ != 3)
        return out_.refuse_next(Errc::invalid_syntax, "it is no JSON: half a byte order mark");
      started_ = true;
    }
    boost::system::error_code ec;
    const auto used = parser_.write_some(true, bytes.data(), bytes.size(), ec);
    if (!ec && used < bytes.size()) ec = json::error::extra_data;
    if (ec) return syntax(ec);
    return {};
  }

  Result<void> line(std::string_view bytes) {
    if (bytes.empty()) return {};
    if (line_ == Line::start) {
      const auto& marker = out_.mapping().end_marker;
      bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r"), bytes.size()));
      if (bytes.empty()) return {};
      if (marked_)
        return out_.refuse_next(Errc::protocol, "a record follows the end marker", "write the list again");
      line_ = !marker.empty() && bytes.front() == marker.front() ? Line::marker : Line::record;
      if (line_ == Line::record) parser_.reset();
    }
    if (line_ == Line::marker) {
      marker_.append(bytes.substr(0, out_.mapping().end_marker.size() + 2));
      if (marker_.size() > out_.mapping().end_marker.size() + 1)
        return out_.refuse_next(Errc::invalid_syntax, "it is neither JSON nor the end marker");
      return {};
    }
    boost::system::error_code ec;
    const auto used = parser_.write_some(true, bytes.data(), bytes.size(), ec);
    if (!ec && used < bytes.size()) ec = json::error::extra_data;
    if (ec) return syntax(ec);
    return {};
  }

  Result<void> end_of_line() {
    if (line_ == Line::marker) {
      if (marker_.ends_with('\r')) marker_.pop_back();
      if (marker_ != out_.mapping().end_marker)
        return out_.refuse_next(Errc::invalid_syntax, "it is neither JSON nor the end marker");
      marked_ = true;
    } else if (line_ == Line::record) {
      boost::system::error_code ec;
      if (!parser_.done()) parser_.write_some(false, "", 0, ec);
      if (ec || !parser_.done())
        return out_.refuse_next(Errc::invalid_syntax, "the line ends before its JSON does",
                                "write each record on one line");
    }
    line_ = Line::start;
    return {};
  }

  JsonShape shape_;
  bool lines_;
  RecordSink out_;
  json::basic_parser<JsonRecordHandler> parser_;
  bool started_ = false;
  std::size_t mark_ = 0;
  Line line_ = Line::start;
  std::string marker_;
  bool marked_ = false;
};

}  // namespace deprov::idp::detail
