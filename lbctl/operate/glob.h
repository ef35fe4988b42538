/* glob.h - names with * and ?, and selectors "a=b,c!=d,e". Pure. */
#ifndef LBCTL_GLOB_H
#define LBCTL_GLOB_H

#include "base/err.h"

#include <stdbool.h>

bool glob_is(const char *text); /* has * or ? */
/* glob_match - the whole of name fits; neither * nor ? takes a slash, so "web" / "*" stays within web. Linear time
 * in the product of both lengths. */
bool glob_match(const char *pattern, const char *name);
/* glob_labels - "a=b,c=d" as VT_LABELS has it, against a selector: "a=b" has it, "a" has the key, "a!=b" has not. */
bool glob_labels(const char *selector, const char *labels);
int glob_selector_check(const char *selector, struct err *err); /* ERR_USAGE */

#endif
