#include "service/scim_stream.hpp"
#include <atomic>
#include <utility>

namespace deprov::service {

namespace {

constexpr std::size_t members_a_piece = 2000;

using Done = port::UniqueFunction<void(std::optional<std::string>)>;

struct Progress {
  Progress(engine::Engine& e, engine::Context c, std::string b, ScimBody body_in)
      : engine(e), context(std::move(c)), base(std::move(b)), body(std::move(body_in)) {}
  engine::Engine& engine;
  engine::Context context;
  std::string base;
  ScimBody body;
  std::size_t at = 0;  ///< the piece whose text, or whose members, come next
  bool in_members = false;
  std::string page;
  Done done;
  std::atomic<bool> closed = false;
};

class MemberStream final : public BodyStream {
 public:
  explicit MemberStream(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}
  MemberStream(const MemberStream&) = delete;
  MemberStream& operator=(const MemberStream&) = delete;
  ~MemberStream() override { progress_->closed = true; }

  void next(Done done) override {
    auto& p = *progress_;
    if (p.at == p.body.pieces.size()) return done(std::nullopt);
    auto& piece = p.body.pieces[p.at];
    if (!p.in_members) {
      if (piece.group.is_nil()) {
        ++p.at;
      } else {
        p.in_members = true;
      }
      return done(std::move(piece.text));
    }
    p.done = std::move(done);
    p.page.clear();
    p.engine.view([progress = progress_](port::Reader& reader) { return read(*progress, reader); },
                  [progress = progress_](Result<void> r) {
                    if (progress->closed) return;
                    if (!r) progress->at = progress->body.pieces.size();
                    auto call = std::move(progress->done);
                    call(r ? std::optional(std::move(progress->page)) : std::nullopt);
                  });
  }

 private:
  static Result<void> read(Progress& p, port::Reader& reader) {
    auto& piece = p.body.pieces[p.at];
    std::size_t written = 0;
    // An empty piece would be a wasted round, and all members of a page can be gone.
    for (bool more = true; more && p.page.empty();) {
      DEPROV_TRY(rest, append_members(p.page, reader, *p.context, p.base, piece.shape, piece.group, piece.after,
                                      piece.first, members_a_piece, written));
      more = rest;
      if (!more) {
        p.in_members = false;
        ++p.at;
        // Nothing is written by the page after the last member: the next piece comes along.
        if (p.page.empty()) {
          auto& next = p.body.pieces[p.at];
          p.page = std::move(next.text);
          if (next.group.is_nil()) {
            ++p.at;
          } else {
            p.in_members = true;
          }
        }
      }
    }
    return {};
  }

  std::shared_ptr<Progress> progress_;
};

}  // namespace

std::shared_ptr<BodyStream> make_member_stream(engine::Engine& engine, engine::Context context, std::string base,
                                               ScimBody body) {
  return std::make_shared<MemberStream>(
      std::make_shared<Progress>(engine, std::move(context), std::move(base), std::move(body)));
}

}  // namespace deprov::service
