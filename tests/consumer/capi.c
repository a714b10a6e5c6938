/* A small program of somebody else, in C. */
#include <deprov.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  deprov_engine_options options = {.struct_size = sizeof options, .store = DEPROV_STORE_MEMORY};
  deprov_engine* engine = NULL;
  deprov_error* error = NULL;
  if (deprov_engine_open(&options, &engine, &error) != DEPROV_OK) {
    fprintf(stderr, "%s\n", deprov_error_get_message(error).ptr);
    deprov_error_free(error);
    return 1;
  }
  printf("%s\n", deprov_build_get_info().ptr);
  deprov_engine_free(engine);
  return strncmp(deprov_build_get_version().ptr, "0.1.", 4) == 0 ? 0 : 1;
}
