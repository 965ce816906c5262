/* What the pump gives up once it runs: rights, and every system call it does not need. */
#ifndef NW_SANDBOX_H
#define NW_SANDBOX_H

#include <stdbool.h>

/* False with errno when a right could not be given up: the pump must not run then. */
bool nw_sandbox_enter(void);

#endif
