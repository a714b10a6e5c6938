#include <deprov/idp/dialect.hpp>
namespace deprov::idp { const Dialect* find_dialect(std::string_view) noexcept { static Dialect d; return &d; } }
