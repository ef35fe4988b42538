/* The writer of markup. page_add takes formats that the programmer wrote and values that anybody wrote; values are
 * escaped here and nowhere else, so a page cannot forget it. It never interprets what it wrote before. */
#include "page.h"
#include "base/mono.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void
page_text(struct buf *b, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "&<>\"'");

		buf_put(b, text, n);
		text += n;
		switch (*text++) {
		case '&': buf_puts(b, "&amp;"); break;
		case '<': buf_puts(b, "&lt;"); break;
		case '>': buf_puts(b, "&gt;"); break;
		case '"': buf_puts(b, "&quot;"); break;
		case '\'': buf_puts(b, "&#39;"); break;
		default: return;
		}
	}
}

/* RFC 3986 section 2.3: everything but the unreserved characters. */
void
page_url(struct buf *b, const char *text)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			buf_put(b, text, 1);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

/* One conversion other than %s and %%; spec is the whole of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
number(struct buf *b, const char *spec, size_t len, va_list *ap)
{
	char form[16], out[64];

	must(len < sizeof(form));
	memcpy(form, spec, len);
	form[len] = '\0';
	if (strchr("fc", form[len - 1]) != NULL) {
		if (form[len - 1] == 'f')
			(void)snprintf(out, sizeof(out), form, va_arg(*ap, double));
		else
			(void)snprintf(out, sizeof(out), form, va_arg(*ap, int));
	} else if (strstr(form, "ll") != NULL) {
		(void)snprintf(out, sizeof(out), form, va_arg(*ap, long long));
	} else if (strpbrk(form, "lz") != NULL) {
		(void)snprintf(out, sizeof(out), form, va_arg(*ap, long));
	} else {
		(void)snprintf(out, sizeof(out), form, va_arg(*ap, int));
	}
	page_text(b, out);
}
#pragma GCC diagnostic pop

void
page_add(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (;;) {
		size_t n = strcspn(fmt, "%"), len;

		buf_put(b, fmt, n);
		fmt += n;
		if (*fmt == '\0')
			break;
		len = 1 + strcspn(fmt + 1, "sducf%") + 1;
		if (len == 2 && fmt[1] == '%')
			buf_puts(b, "%");
		else if (len == 2 && fmt[1] == 's')
			page_text(b, va_arg(ap, const char *));
		else
			number(b, fmt, len, &ap);
		fmt += len;
	}
	va_end(ap);
}

void
page_count(struct buf *b, uint64_t n)
{
	if (n >= 1000) {
		page_count(b, n / 1000);
		buf_printf(b, ",%03u", (unsigned)(n % 1000));
	} else {
		buf_printf(b, "%u", (unsigned)n);
	}
}

void
page_bits(struct buf *b, double bytes_per_s)
{
	static const char *const unit[] = { "b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s" };
	double v = bytes_per_s * 8;
	unsigned u = 0;

	while (v >= 999.5 && u + 1 < ARRAY_LEN(unit)) {
		v /= 1000;
		u++;
	}
	buf_printf(b, u > 0 && v < 99.95 ? "%.1f&nbsp;%s" : "%.0f&nbsp;%s", v, unit[u]);
}

static void
stamp(struct buf *b, int64_t seconds, const char *form)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char out[48] = "";

	if (gmtime_r(&t, &tm) != NULL && strcmp(form, "clock") == 0)
		(void)strftime(out, sizeof(out), "%H:%M", &tm);
	else if (strcmp(form, "day") == 0)
		(void)strftime(out, sizeof(out), "%d %b %H:%M", &tm);
	else if (strcmp(form, "iso") == 0)
		(void)strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		(void)strftime(out, sizeof(out), "%d %b %Y, %H:%M:%S UTC", &tm);
	buf_puts(b, out);
}

void
page_time(struct buf *b, int64_t seconds)
{
	buf_puts(b, "<time datetime=\"");
	stamp(b, seconds, "iso");
	buf_puts(b, "\">");
	stamp(b, seconds, "full");
	buf_puts(b, "</time>");
}

void
page_clock(struct buf *b, int64_t seconds)
{
	bool today = seconds / 86400 == mono_wall_ms() / 86400000;

	buf_puts(b, "<time datetime=\"");
	stamp(b, seconds, "iso");
	buf_puts(b, "\">");
	stamp(b, seconds, today ? "clock" : "day");
	buf_puts(b, "</time>");
}

void
page_lasting(struct buf *b, int64_t seconds)
{
	long long s = seconds < 0 ? 0 : seconds;

	if (s >= 86400)
		buf_printf(b, "%lld d %lld h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		buf_printf(b, "%lld h %lld min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		buf_printf(b, "%lld min %lld s", s / 60, s % 60);
	else
		buf_printf(b, "%lld s", s);
}
