// Requests through the C interface, as libFuzzer and ctest try them.
#pragma once

#include <string>
#include <string_view>

namespace deprov::fuzz {

/// One to eight requests, each of which begins with a line `METHOD TARGET`, followed by lines `Name: value`, an
/// empty line and a body, and ends with a line `%%` where another one follows. They go to an engine of their own,
/// in memory, with one integration and one user: `@scim`, `@id`, `@user`, `@token` and `@owner` stand for what
/// only it knows. Headers that begin with `!` are members of the request; a method that does asks by
/// deprov_admin_call().
///
/// Answers with what is wrong, or with nothing. Input with an address of the web is left alone: nothing of a test
/// goes out.
[[nodiscard]] std::string capi(std::string_view input);

}  // namespace deprov::fuzz
