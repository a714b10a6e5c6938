#include "cli/commands.hpp"

int main(int argc, char** argv) { return deprov::cli::run(argc, argv); }
