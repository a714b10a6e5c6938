// What the errors of PostgreSQL (appendix A of its manual) mean to deprov.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace deprov_sql {

/// Of a statement within a transaction that was rolled back: nothing of it has happened.
std::int32_t outcome_of(std::string_view sqlstate) noexcept;

/// The five characters in `"FATAL:  28P01: password ..."`, as libpq writes an error of connecting when it is asked
/// to be verbose; empty where there are none, since the server was not reached.
std::string sqlstate_in(std::string_view message);

/// The first line, without its place in the server's source.
std::string first_line(std::string_view message);

}  // namespace deprov_sql
