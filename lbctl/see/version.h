/* version.h - semantic versions (semver.org 2.0.0) and which of two is newer. Pure. */
#ifndef LBCTL_VERSION_H
#define LBCTL_VERSION_H

#include <stdbool.h>

#define VERSION_TEXT 64

/* version_valid - MAJOR.MINOR.PATCH, then "-" and a pre-release and "+" and a build, which may both be absent. */
bool version_valid(const char *text);
/* version_compare - below 0: a is older; 0: neither, builds do not count; above 0: a is newer. Both are valid. */
int version_compare(const char *a, const char *b);
/* version_of_package - the version in that of a Debian package: without epoch and revision of the package, "~" begins
 * a pre-release. false: there is none in it. */
bool version_of_package(const char *text, char out[VERSION_TEXT]);

#endif
