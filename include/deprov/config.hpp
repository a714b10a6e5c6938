// How the core is built: all inline (the default), or once inside the library.
#pragma once

/// `DEPROV_SEPARATE_COMPILATION` is set by the target `deprov::deprov`; without it every header of the
/// core pulls in its body and `deprov::core` needs no library of ours.
#if defined(DEPROV_SEPARATE_COMPILATION)
#define DEPROV_INLINE
#else
#define DEPROV_INLINE inline
#define DEPROV_HEADER_ONLY 1
#endif

#define DEPROV_VERSION_MAJOR 0
#define DEPROV_VERSION_MINOR 1
#define DEPROV_VERSION_PATCH 0
#define DEPROV_VERSION "0.1.0"

// Both ways in one program would be a silent violation of the one-definition rule. The two declare the
// same symbol once as thread-local and once not, which every ELF linker refuses.
#if defined(DEPROV_SEPARATE_COMPILATION)
extern "C" const char deprov_core_is_compiled_or_inline_but_not_both;
namespace deprov::detail {
[[gnu::used]] static const char* const core_mode = &deprov_core_is_compiled_or_inline_but_not_both;
}
#else
extern "C" {
[[gnu::used]] inline thread_local char deprov_core_is_compiled_or_inline_but_not_both = 0;
}
#endif
