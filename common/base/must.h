/* must.h - "a programmer broke this". Always on; never for input from network, user, kernel or peer. */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stdint.h>

#define must(cond) (__builtin_expect(!!(cond), 1) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
/* Objects that cross callbacks begin with a magic number; callbacks receive void pointers. */
#define must_obj(p, wanted) must((p) != NULL && (p)->magic == (wanted))
void must_fail(const char *cond, const char *file, int line) __attribute__((noreturn, cold));

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
