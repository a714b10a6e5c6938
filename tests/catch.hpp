// The one place that knows which Catch2 this is, and how it shows our results.
#pragma once

#include <boost/system/result.hpp>
#include <deprov/error.hpp>
#include <string>
#include <type_traits>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace Catch {

/// A failed `REQUIRE(result)` shows the error, whether or not the value can be printed.
template <class T>
struct StringMaker<boost::system::result<T, deprov::Error>> {
  static std::string convert(const boost::system::result<T, deprov::Error>& r) {
    if (r.has_error()) {
      const deprov::Error error = r.error();
      return "{error " + std::string(to_string(error.code())) + ": " + error.message() + "}";
    }
    if constexpr (std::is_void_v<T>) {
      return "{success}";
    } else {
      return ::Catch::Detail::stringify(*r);
    }
  }
};

}  // namespace Catch
