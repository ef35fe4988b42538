/* api.h - what the files of the REST API share. */
#ifndef API_H
#define API_H

#include "schema/json.h"
#include "web.h"

#define API_LIMIT 500 /* objects of one answer, unless ?limit= says otherwise */
#define API_LIMIT_MAX 1000

/* What a path names. */
struct api_where {
	const struct object *o;
	char path[160];	 /* "web", "web/rip1", "main"; "" for a collection */
	char parent[64]; /* of a CHILD */
};
/* api_where - false: answered already (no such kind, or not for this role). */
bool api_where(struct call *c, struct api_where *out);
/* api_body_is - the body must be of one of these types; false: 415 was answered. NULL ends. */
bool api_body_is(struct call *c, const char *const *types);
extern const char *const api_json_types[], *const api_patch_types[];

/* api_how - ?dry_run, ?confirm, ?message and the base of a change; false: answered. */
bool api_how(struct call *c, struct commit_how *out);
bool api_number(
    struct call *c, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* api_committed - the headers Lbd-Revision and Lbd-Trial-Until. */
void api_committed(struct call *c, const struct commit_how *how, const struct commit_result *r);
/* api_dry - the answer of a dry run. */
void api_dry(struct call *c, const struct commit_result *r);
/* api_etag - of a row's configuration, with its quotes; out holds 24 bytes. */
void api_etag(const struct snapshot *s, const struct object *o, const void *row, char *out);

void openapi_write(struct buf *b); /* pure */

#endif
