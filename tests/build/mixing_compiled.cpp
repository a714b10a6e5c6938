// Uses the core as the library has compiled it.
#include <deprov/uuid.hpp>

int main() { return to_string(deprov::Uuid{}).size() == 36 ? 0 : 1; }
