/* Rules of access logs and of what servers are told: templates, targets, and fields that need each other. */
#include "store/object_checks_priv.h"

#include "schema/log_format.h"

int
check_log_service(struct look *l, const struct service *s)
{
	struct log_item items[LOG_ITEMS_MAX];
	struct err why;

	if (s->log == access_log_combined && s->mode == mode_tcp)
		return look_bad(l, KIND_service, s, "log",
		    "\"combined\" is not possible in mode tcp; allowed are off, haproxy, json, custom, or mode http");
	if (s->log == access_log_custom && s->log_format[0] == '\0')
		return look_bad(l, KIND_service, s, "log_format", "is required with log custom");
	if (log_format_parse(s->log_format, items, &why) < 0)
		return look_bad(l, KIND_service, s, "log_format", "%s", why.text);
	if (s->forwarded_for == forwarded_off && (s->x_forwarded || s->forwarded))
		return look_bad(l, KIND_service, s, s->x_forwarded ? "x_forwarded" : "forwarded",
		    "\"yes\" is not possible while forwarded_for is off; allowed is no, or replace or append there");
	return 0;
}

int
check_log_setting(struct look *l, const struct setting *g)
{
	struct log_target t;
	struct err why;

	if (log_target_parse(g->access_syslog, &t, &why) == 0)
		return 0;
	return look_bad(l, KIND_setting, g, "access_syslog", "%s", why.text);
}
