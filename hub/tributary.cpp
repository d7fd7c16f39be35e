// tributary: the admin CLI.
#include "hub/cli/tributary.h"

int main(int argc, char** argv) { return tributary::cli::run(argc, argv); }
