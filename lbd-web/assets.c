/* Style sheet and script, inside the binary. Their names carry a hash of what is in them, so that browsers may keep
 * them for ever and still see a new release at once. */
#include "base/must.h"
#include "server/tls_cert.h"
#include "web.h"

#include <stdio.h>
#include <string.h>

/* .incbin is looked up from the project's top folder, where the compiler runs. */
#define EMBED(symbol, file)                                                      \
	__asm__(".section .rodata\n" #symbol ":\n.incbin \"" file "\"\n" #symbol \
		"_end:\n.byte 0\n.previous\n");                                  \
	extern const char symbol[], symbol##_end[]

EMBED(asset_css, "lbd-web/assets/app.css");
EMBED(asset_js, "lbd-web/assets/app.js");

struct asset {
	const char *name, *stem, *ext, *type, *start, *end;
	char path[48];
};
static struct asset assets[] = {
	{ "app.css", "app", "css", "text/css; charset=utf-8", asset_css, asset_css_end, "" },
	{ "app.js", "app", "js", "text/javascript; charset=utf-8", asset_js, asset_js_end, "" },
};

void
assets_init(void)
{
	uint8_t sum[SHA256_LEN];

	for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
		struct asset *a = &assets[i];

		tls_sha256(a->start, (size_t)(a->end - a->start), sum);
		(void)snprintf(a->path, sizeof(a->path), "/assets/%s-%02x%02x%02x%02x.%s", a->stem,
		    sum[0], sum[1], sum[2], sum[3], a->ext);
	}
}

const char *
assets_path(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(assets); i++)
		if (strcmp(assets[i].name, name) == 0)
			return assets[i].path;
	must(!"an asset of that name");
	return NULL;
}

void
asset_get(struct call *c)
{
	const char *file = call_param(c, "file");

	for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
		const struct asset *a = &assets[i];

		if (strcmp(a->path + strlen("/assets/"), file) != 0)
			continue;
		reply_headers(c);
		http_set(c->rq, "Content-Type", a->type);
		http_set(c->rq, "Cache-Control", "public, max-age=31536000, immutable");
		http_send_static(c->rq, 200, a->start, (size_t)(a->end - a->start));
		return;
	}
	reply_fail(c, 404, "there is no file of that name");
}
