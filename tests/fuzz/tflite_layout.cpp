// Files like TFLite models. See layout_target.h.
#include "tests/fuzz/layout_target.h"
