/* err.h - a reason for a human, filled once at the deepest place that knows. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

/* Codes are -errno where one fits; these are ours. lbctl's exit code and the API's status follow from them. */
enum {
	ERR_INVALID = -1001, /* a value, field, object or set is not allowed; nothing was changed */
	ERR_UNKNOWN = -1002, /* an object of that name does not exist */
	ERR_CONFLICT = -1003, /* revision moved, name in use, trial pending */
	ERR_DENIED = -1004,   /* not authenticated or not allowed */
	ERR_AWAY = -1005,     /* a daemon is not reachable */
	ERR_PROTO = -1006,    /* bytes that are no message of ours */
	ERR_STORE = -1007, /* the store's file cannot be used; the text names it and the way back */
	ERR_USAGE = -1008, /* the command line or request has the wrong form */
	ERR_REVERTED = -1009, /* a trial was undone */
};

/* object "vip web", field "ports", and the whole sentence. All three are "" when they do not apply. */
struct err {
	int code;
	char object[160];
	char field[64];
	char text[600];
};

/* err_set - fill err and return code. err may be NULL everywhere. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* err_field - as err_set, for one field of one object. text becomes "OBJECT: FIELD: <fmt...>".
 * object or field may be NULL; err_object can add the object later. */
int err_field(struct err *err, int code, const char *object, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));
/* err_object - name the object of an error that does not have one yet; prefixes the text. Returns the code. */
int err_object(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* err_prefix - context in front of the text ("line 7: "). Returns the code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
