// Uses the core inline.
#include <deprov/uuid.hpp>

std::string inline_half();
std::string inline_half() { return to_string(deprov::Uuid{}); }
