#include <deprov.h>
#include <stdio.h>
#include <string.h>

static deprov_str text(const char* s) { return (deprov_str){s, strlen(s)}; }

/* Usage: embed DIRECTORY. Makes an integration with an app that lives in a file, and hands it one request of an
   IdP. */
int main(int argc, char** argv) {
  deprov_engine_options options = {.struct_size = sizeof options,
                                   .directory = text(argc > 1 ? argv[1] : "./data")};
  deprov_caller by = {.struct_size = sizeof by};
  deprov_request request = {.struct_size = sizeof request, .method = text("GET"), .header_count = 1};
  deprov_engine* engine = NULL;
  deprov_buffer *acme = NULL, *id = NULL, *wiki = NULL, *path = NULL, *token = NULL;
  deprov_response* response = NULL;
  deprov_error* error = NULL;
  if (deprov_engine_open(&options, &engine, &error) == DEPROV_OK &&
      deprov_workspace_create(engine, text("acme"), text("owner"), &acme, &error) == DEPROV_OK &&
      deprov_record_get(deprov_buffer_get(acme), text("id"), &id, &error) == DEPROV_OK) {
    by.workspace = deprov_buffer_get(id);
    if (deprov_integration_create(engine, &by, text("{\"name\":\"Wiki\",\"idp\":\"okta\",\"connector\":\"null\"}"),
                                  &wiki, &error) == DEPROV_OK &&
        deprov_record_get(deprov_buffer_get(wiki), text("scim_base_path"), &path, &error) == DEPROV_OK &&
        deprov_record_get(deprov_buffer_get(wiki), text("scim_token"), &token, &error) == DEPROV_OK) {
      char target[100], bearer[100];
      deprov_header header = {text("Authorization"), {NULL, 0}};
      snprintf(target, sizeof target, "%s/Users?count=1", deprov_buffer_get(path).ptr);
      snprintf(bearer, sizeof bearer, "Bearer %s", deprov_buffer_get(token).ptr);
      header.value = text(bearer);
      request.target = text(target); /* a server of yours passes on what the IdP sent */
      request.headers = &header;
      if (deprov_engine_call(engine, &request, &response, &error) == DEPROV_OK)
        printf("%d %s\n", (int)deprov_response_get_status(response), deprov_response_get_body(response).ptr);
    }
  }
  if (error != NULL) fprintf(stderr, "%s\n", deprov_error_get_message(error).ptr);
  const int failed = error != NULL || deprov_response_get_status(response) != 200;
  deprov_error_free(error);
  deprov_response_free(response);
  deprov_buffer_free(acme);
  deprov_buffer_free(id);
  deprov_buffer_free(wiki);
  deprov_buffer_free(path);
  deprov_buffer_free(token);
  deprov_engine_free(engine);
  return failed;
}
