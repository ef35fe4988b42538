/* complete.h - what may stand next on a command line. */
#ifndef LBCTL_COMPLETE_H
#define LBCTL_COMPLETE_H

#include "ctl.h"

/* complete_words - "lbctl __complete -- words...": the last word is the one being typed. Prints value<TAB>help, one a
 * line; silent about every fault. Returns 0. */
int complete_words(struct ctl *c, int argc, char **argv);

#endif
