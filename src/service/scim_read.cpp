// GET of one resource, and the same after a write.
#include <utility>
#include "service/scim_render.hpp"

namespace deprov::service {

void handle_read(const Call& call) { answer_resource(call, call->id, {}); }

void answer_resource(const Call& call, ResourceId id, const ReadBack& how) {
  call->id = id;
  using Reading = engine::Engine::Reading;
  // A group with its members can be many rows; what was just written is read for the engine's own thread.
  const bool brief = how.written == nullptr && !ScimRenderer(call).shows_members(*call->type);
  call->engine.read(
      brief ? Reading::brief : Reading::any,
      // Answered from inside the view: a read has nothing to wait for.
      [call, how](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, reader.resource(call->scope(), call->id));
        if (!row || row->deleted || row->type != call->type->name()) return call->no_resource();
        ScimRenderer renderer(call);
        if (call->request.method == "GET") {
          // RFC 9110 section 13.2.2: If-Match comes first.
          scim::Version version{row->version, 0};
          if (call->if_match || call->if_none_match) {
            DEPROV_TRY(shown, renderer.version(reader, *call->type, *row));
            version = shown;
          }
          if (call->if_match && !call->if_match->allows(version)) return call->check_preconditions(version);
          if (call->if_none_match && call->if_none_match->matches(version)) {
            auto r = scim_response(304, {});
            renderer.add_headers(r, *call->type, row->id, version);
            call->answer(std::move(r));
            return {};
          }
        }
        renderer.members = how.members;
        if (how.only_small && renderer.shows_members(*call->type)) {
          // Nobody is looked up for an answer that will not be given.
          DEPROV_TRY(count, reader.member_count(call->scope(), row->id));
          if (count > call->options.inline_members) {
            DEPROV_TRY(version, renderer.version(reader, *call->type, *row));
            call->no_content(version);
            return {};
          }
        }
        ScimBody body;
        DEPROV_TRY(version, renderer.append(body, reader, *call->type, *row));
        if (how.only_small && !body.whole()) {
          call->no_content(version);
          return {};
        }
        auto r = renderer.response(how.status, std::move(body));
        renderer.add_headers(r, *call->type, row->id, version);
        call->answer(std::move(r));
        return {};
      },
      [call, how](const Result<void>& r) {
        if (call->answered()) return;
        if (how.written == nullptr) return call->fail(r.error());
        // What was asked for is done and durable, whatever became of reading it again.
        ScimRenderer renderer(call);
        std::string text;
        if (how.only_small || !renderer.append_document(text, *call->type, *how.written, {}))
          return call->no_content({how.written->version, 0});
        auto response = scim_response(how.status, std::move(text));
        renderer.add_headers(response, *call->type, how.written->id, {how.written->version, 0});
        call->answer(std::move(response));
      });
}

}  // namespace deprov::service
