// Whether this is a build with a sanitizer, which takes more memory and time; GCC and Clang say so differently.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEPROV_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEPROV_TEST_SANITIZED 1
#endif
#endif

namespace deprov::test {

#ifdef DEPROV_TEST_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace deprov::test
