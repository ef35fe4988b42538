/* Rules of what lbd-proxy answers by itself or does to answers: error pages, maintenance, compression. */
#include "store/object_checks_priv.h"

#include "base/must.h"
#include "schema/error_rules.h"
#include "schema/media.h"
#include "schema/retry_words.h"

#include <string.h>

static int
check_error_rules(struct look *l, const struct service *s)
{
	struct error_rule rule[ERROR_RULES_MAX];
	struct err why;
	char name[64];
	int n = error_rules_parse(s->error_pages, rule, &why);

	if (n < 0)
		return look_bad(l, KIND_service, s, "error_pages", "%s", why.text);
	for (int i = 0; i < n; i++) {
		if (rule[i].redirect != 0)
			continue;
		memcpy(name, rule[i].to, rule[i].to_len);
		name[rule[i].to_len] = '\0';
		if (snapshot_find_path(l->s, KIND_error_page, name) == NULL)
			return look_bad(
			    l, KIND_service, s, "error_pages", "there is no page \"%s\"", name);
	}
	return 0;
}

int
check_answers_service(struct look *l, const struct service *s)
{
	struct err why;
	uint32_t on;

	if (service_layer(s) != 7)
		return 0;
	if (retry_words_parse(s->retry_on, &on, &why) != 0)
		return look_bad(l, KIND_service, s, "retry_on", "%s", why.text);
	if (media_list_check(s->compress_types, &why) != 0)
		return look_bad(l, KIND_service, s, "compress_types", "%s", why.text);
	return check_error_rules(l, s);
}

int
check_pages(struct look *l)
{
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_error_page); i++) {
		const struct error_page *p = snapshot_at(l->s, KIND_error_page, i);

		if ((p->status > 0 && p->status < 200) || p->status == 204 || p->status == 205 ||
		    p->status == 304)
			return look_bad(l, KIND_error_page, p, "status",
			    "\"%u\" is not allowed: 0, or 200 to 599 but 204, 205 and 304, which have no body",
			    p->status);
		if (!media_is_type(p->content_type))
			return look_bad(l, KIND_error_page, p, "content_type",
			    "\"%s\" is not allowed: a media type, as text/html; charset=utf-8",
			    p->content_type);
	}
	return 0;
}
