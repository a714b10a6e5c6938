// Moved.
#pragma once

#include "support/running.hpp"
