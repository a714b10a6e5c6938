#pragma once
#include <algorithm>
#include <deprov/idp/impl/snapshot_record.ipp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp::detail {

/// RFC 4180, fed in pieces. Lines end in LF or CRLF; empty lines are skipped.
class CsvSnapshotReader final : public SnapshotReader {
 public:
  CsvSnapshotReader(SnapshotMapping mapping, SnapshotReaderLimits limits, SnapshotUserSink sink)
      : out_(std::move(mapping), std::move(sink)), limits_(limits), delimiter_(out_.mapping().delimiter) {
    columns_.fill(none);
  }

  Result<void> feed(std::string_view bytes) override {
    if (out_.failure()) return *out_.failure();
    for (std::size_t i = 0; i < bytes.size();) {
      if (record_.size() > limits_.max_record_bytes)
        return out_.refuse_next(
            Errc::limit_exceeded,
            "it has more than max_record_bytes (" + std::to_string(limits_.max_record_bytes) + ")",
            "a quote may be missing in it");
      if (state_ == State::bare || state_ == State::quoted) {  // what is plain goes over at once
        const auto stop = bytes.find_first_of(state_ == State::quoted ? quote_ : breaks_, i);
        const auto n = std::min({stop, bytes.size(), i + limits_.max_record_bytes + 1}) - i;
        record_.append(bytes.substr(i, n));
        i += n;
        if (i == bytes.size() || stop != i) continue;
      }
      DEPROV_CHECK(step(bytes[i]));
      ++i;
    }
    return {};
  }

  Result<EndOfList> end(std::optional<std::uint64_t> users) override {
    if (out_.failure()) return *out_.failure();
    if (state_ == State::quoted)
      return out_.refuse_next(Errc::protocol, "the list ends within a quoted field",
                              "it was cut off: write it again");
    if (width_ == 0) return out_.keep(Error(Errc::protocol, "there is no header line", "the list"));
    return out_.end_of_lines(users, marked_, state_ != State::field || !ends_.empty());
  }
  [[nodiscard]] std::uint64_t records() const noexcept override { return out_.records(); }

 private:
  enum class State { field, bare, quoted, closed, carriage };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  Result<void> step(char c) {
    switch (state_) {
      case State::field:
        if (c == '"') {
          state_ = State::quoted;
          was_quoted_ = true;
          return {};
        }
        [[fallthrough]];
      case State::bare:
        if (c == delimiter_) return end_field();
        if (c == '\n') return end_record();
        if (c == '\r') {
          state_ = State::carriage;
          return {};
        }
        if (c == '"')
          return out_.refuse_next(Errc::invalid_syntax, "a quote stands within a field that is not quoted",
                                  "quote the whole field, and double the quotes in it (RFC 4180)");
        state_ = State::bare;
        record_.push_back(c);
        return {};
      case State::quoted:
        state_ = State::closed;  // or the first of two
        return {};
      case State::closed:
        if (c == '"') {
          record_.push_back('"');
          state_ = State::quoted;
          return {};
        }
        if (c == delimiter_) return end_field();
        if (c == '\n') return end_record();
        if (c == '\r') {
          state_ = State::carriage;
          return {};
        }
        return out_.refuse_next(Errc::invalid_syntax,
                                "something stands between a closing quote and the next field");
      case State::carriage:
        if (c == '\n') return end_record();
        return out_.refuse_next(Errc::invalid_syntax,
                                "a carriage return stands within a field that is not quoted");
    }
    return {};
  }

  Result<void> end_field() {
    ends_.push_back(record_.size());
    state_ = State::field;
    return {};
  }

  [[nodiscard]] std::string_view field(std::size_t n) const noexcept {
    const std::size_t from = n == 0 ? 0 : ends_[n - 1];
    return std::string_view(record_).substr(from, ends_[n] - from);
  }

  Result<void> end_record() {
    ends_.push_back(record_.size());
    state_ = State::field;
    const bool blank = record_.empty() && ends_.size() == 1 && !was_quoted_;
    auto r = blank ? Result<void>{} : take();
    record_.clear();
    ends_.clear();
    was_quoted_ = false;
    return r;
  }

  Result<void> take() {
    if (marked_)
      return out_.refuse_next(Errc::protocol, "a record follows the end marker", "write the list again");
    if (width_ == 0) return header();
    const auto& m = out_.mapping();
    if (!m.end_marker.empty() && !was_quoted_ && is_marker()) {
      marked_ = true;
      return {};
    }
    if (ends_.size() != width_)
      return out_.refuse_next(
          Errc::invalid_syntax,
          "it has " + std::to_string(ends_.size()) + " fields, the header has " + std::to_string(width_),
          "quote fields that contain the delimiter");
    const auto value = [&](unsigned f) {
      return columns_.at(f) == none ? std::string_view{} : field(columns_.at(f));
    };
    std::optional<std::string_view> active;
    if (const auto text = value(field_active); !text.empty()) active = text;
    return out_.emit({value(field_id), value(field_external_id), value(field_user_name), value(field_email), true},
                     active);
  }
  /// The marker may contain the delimiter, which is not in the record any more.
  [[nodiscard]] bool is_marker() const {
    std::string line;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      if (i != 0) line.push_back(delimiter_);
      line += field(i);
    }
    return line == out_.mapping().end_marker;
  }

  Result<void> header() {
    if (record_.starts_with("\xEF\xBB\xBF")) {  // spreadsheets put it there
      record_.erase(0, 3);
      for (auto& end : ends_) end -= 3;
    }
    width_ = ends_.size();
    for (unsigned f = 0; f < snapshot_fields; ++f) {
      const auto& wanted = path_of(out_.mapping(), f);
      if (wanted.empty()) continue;
      for (std::size_t i = 0; i < width_; ++i) {
        if (field(i) != wanted) continue;
        if (columns_.at(f) != none)
          return out_.keep(Error(Errc::invalid_value, "the column \"" + wanted + "\" stands in it twice", "header",
                                 "give each column a name of its own"));
        columns_.at(f) = i;
      }
      if (columns_.at(f) == none)
        return out_.keep(Error(Errc::invalid_value,
                               "there is no column \"" + wanted + "\" for " + std::string(field_names.at(f)),
                               "header", "the first line names the columns; map the source's to those"));
    }
    return {};
  }

  RecordSink out_;
  SnapshotReaderLimits limits_;
  char delimiter_;
  std::string breaks_{delimiter_, '\n', '\r', '"'};
  std::string quote_{'"'};
  State state_ = State::field;
  std::string record_;             ///< the fields, one behind the other
  std::vector<std::size_t> ends_;  ///< of each field
  bool was_quoted_ = false;        ///< something in the record was
  bool marked_ = false;
  std::size_t width_ = 0;  ///< of the header
  std::array<std::size_t, snapshot_fields> columns_{};
};

}  // namespace deprov::idp::detail
