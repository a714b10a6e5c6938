// The compiled half of what every room uses, and the symbol that keeps the two ways of building apart.
#include <deprov/impl/error.ipp>
#include <deprov/impl/time.ipp>
#include <deprov/impl/uuid.ipp>

extern "C" const char deprov_core_is_compiled_or_inline_but_not_both = 1;
