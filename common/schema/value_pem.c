/* Type PEM: certificates or revocation lists as text (RFC 7468), a row of ops for value.c.
 *
 * What people have is lax: line ends of another system, lines of another length, words around the blocks. What is
 * kept is strict: only blocks, base64 in lines of 64 characters, LF, so that equal bytes are equal text. Nothing
 * is decoded: whether a block is a certificate is for whoever can read one (store/x509.h). A private key has no
 * place in the configuration, wherever it stands, so it is refused with a way to go. */
#include "schema/value_priv.h"

#include <string.h>

#define END "-----END "
#define DASHES "-----"
#define LINE 64
#define LABEL_ROOM 40 /* longest known label, and more */

static const char *const labels[] = { [PEM_certificates] = "CERTIFICATE", [PEM_crls] = "X509 CRL" };

/* A reader of one text, and what it writes. */
struct pem {
	const char *at;
	struct buf out;
	char label[LABEL_ROOM];
};

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "LABEL-----" at the reader, which goes behind it. */
static bool
take_label(struct pem *p)
{
	const char *end = strstr(p->at, DASHES);
	size_t n = end != NULL ? (size_t)(end - p->at) : 0;

	if (n == 0 || n >= sizeof(p->label) || memchr(p->at, '\n', n) != NULL)
		return false;
	memcpy(p->label, p->at, n);
	p->label[n] = '\0';
	p->at = end + strlen(DASHES);
	return true;
}

/* The base64 up to the next dash, in lines. */
static const char *
take_body(struct pem *p)
{
	unsigned n = 0, pads = 0;

	for (; *p->at != '-' && *p->at != '\0'; p->at++) {
		if (is_space(*p->at))
			continue;
		if (*p->at == '=')
			pads++;
		else if (pads > 0 || !is_base64(*p->at))
			return "; a block has what is not base64";
		buf_put(&p->out, p->at, 1);
		if (++n % LINE == 0)
			buf_puts(&p->out, "\n");
	}
	if (n == 0 || n % 4 != 0 || pads > 2)
		return "; a block is not whole";
	if (n % LINE != 0)
		buf_puts(&p->out, "\n");
	return NULL;
}

/* One block; the reader stands behind "-----BEGIN ". */
static const char *
take_block(struct pem *p, const char *label)
{
	const char *why;

	if (!take_label(p))
		return "; a block has no label";
	if (strstr(p->label, "PRIVATE KEY") != NULL)
		return "; it has a private key, and keys are never part of the configuration: lbctl cert "
		       "import takes them";
	if (strcmp(p->label, label) != 0)
		return "; it has a block of another kind";
	buf_printf(&p->out, PEM_BEGIN "%s" DASHES "\n", label);
	why = take_body(p);
	if (why != NULL)
		return why;
	if (strncmp(p->at, END, strlen(END)) != 0)
		return "; a block has no end";
	p->at += strlen(END);
	if (!take_label(p) || strcmp(p->label, label) != 0)
		return "; a block has another end than its beginning";
	buf_printf(&p->out, END "%s" DASHES "\n", label);
	return NULL;
}

static const char *
parse_pem(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	struct pem p = { .at = text };
	const char *why = NULL;

	while (why == NULL && (p.at = strstr(p.at, PEM_BEGIN)) != NULL) {
		p.at += strlen(PEM_BEGIN);
		why = take_block(&p, labels[f->ref]);
	}
	if (why == NULL && p.out.len == 0 && text[strspn(text, " \t\r\n")] != '\0')
		why = "; there is no block in it";
	if (why == NULL && !value_length_ok(f, p.out.len))
		why = "";
	if (why == NULL)
		value_text_cell(buf_text(&p.out), p.out.len, a, out);
	buf_fini(&p.out);
	return why;
}

static void
allowed_pem(const struct field *f, struct buf *out)
{
	buf_printf(out, "%s" PEM_BEGIN "%s" DASHES "\" and so on, at most %d bytes",
	    f->min > 0 ? "PEM, as \"" : "nothing, or PEM, as \"", labels[f->ref], (int)f->max);
}

const struct type_ops value_pem_ops = { .parse = parse_pem,
	.allowed = allowed_pem,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };
