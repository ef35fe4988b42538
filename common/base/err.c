/* Reasons for humans. A reason is filled once, at the deepest place that knows; callers only add context in
 * front of it. Nothing here logs or allocates. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	*err = (struct err){ .code = code };
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int
err_field(struct err *err, int code, const char *object, const char *field, const char *fmt, ...)
{
	size_t at = 0;
	va_list ap;

	if (err == NULL)
		return code;
	*err = (struct err){ .code = code };
	if (object != NULL) {
		(void)snprintf(err->object, sizeof(err->object), "%s", object);
		at += (size_t)snprintf(err->text, sizeof(err->text), "%s: ", err->object);
	}
	if (field != NULL) {
		(void)snprintf(err->field, sizeof(err->field), "%s", field);
		at += (size_t)snprintf(err->text + at, sizeof(err->text) - at, "%s: ", err->field);
	}
	va_start(ap, fmt);
	(void)vsnprintf(err->text + at, sizeof(err->text) - at, fmt, ap);
	va_end(ap);
	return code;
}

static void
put_in_front(struct err *err, const char *text)
{
	char old[sizeof(err->text)];

	memcpy(old, err->text, sizeof(old));
	(void)snprintf(err->text, sizeof(err->text), "%s%.*s", text,
	    (int)(sizeof(err->text) - 1 - strlen(text)), old);
}

int
err_object(struct err *err, const char *fmt, ...)
{
	char front[sizeof(err->object) + 2];
	va_list ap;

	if (err == NULL)
		return 0;
	if (err->object[0] != '\0')
		return err->code;
	va_start(ap, fmt);
	(void)vsnprintf(err->object, sizeof(err->object), fmt, ap);
	va_end(ap);
	(void)snprintf(front, sizeof(front), "%s: ", err->object);
	put_in_front(err, front);
	return err->code;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char front[200];
	va_list ap;

	if (err == NULL)
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(front, sizeof(front), fmt, ap);
	va_end(ap);
	put_in_front(err, front);
	return err->code;
}
