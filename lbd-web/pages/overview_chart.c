/* Drawings of the overview: the sparkline of a service and the two charts of the node. A drawing is never alone: the
 * number stands beside it, and each chart has a sentence and a table with the same values. */
#include "live/history.h"
#include "overview.h"
#include "page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHART_POINTS 90
#define CHART_W 600.0
#define CHART_H 150.0

/* Points that are not there (NAN, only at the begin) are left out; false when none is there. */
static bool
path(struct buf *b, const float *v, unsigned n, double w, double h, double top)
{
	unsigned first = 0;

	while (first < n && isnan(v[first]))
		first++;
	for (unsigned i = first; i < n; i++) {
		double y = top > 0 ? h - 0.5 - (double)v[i] / top * (h - 1) : h - 0.5;

		buf_printf(b, "%s%.4g %.4g", i == first ? "M" : "L", w * i / (n - 1), y);
	}
	return first < n;
}

/* The area under a line: from its first point down to the ground and back. */
static void
area(struct buf *b, const float *v, unsigned n, double w, double h, double top)
{
	unsigned first = 0;

	while (first < n && isnan(v[first]))
		first++;
	if (path(b, v, n, w, h, top))
		buf_printf(b, "V%.4gH%.4gz", h, w * first / (n - 1));
}

void
overview_spark(struct call *c, struct buf *b, uint32_t service)
{
	float v[HISTORY_POINTS], top = 0;

	if (!history_points(c->w->history, service, v))
		return;
	for (unsigned i = 0; i < HISTORY_POINTS; i++)
		top = v[i] > top ? v[i] : top;
	page_add(b,
	    "<svg class=\"spark\" viewBox=\"0 0 120 26\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path "
	    "class=\"a\" d=\"");
	area(b, v, HISTORY_POINTS, 120, 26, (double)top);
	page_add(b, "\"/><path d=\"");
	(void)path(b, v, HISTORY_POINTS, 120, 26, (double)top);
	page_add(b, "\"/></svg>");
}

/* Two lines over the last hour; how values and their tops are written differs. */
struct chart {
	const char *id, *title, *one, *two, *unit;
	float a[CHART_POINTS], b[CHART_POINTS];
	double top;
	void (*label)(struct buf *b, double v);
};

static void
gather(struct call *c, struct chart *bits, struct chart *load)
{
	const unsigned each = HISTORY_SAMPLES / CHART_POINTS;
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);

	for (unsigned p = 0; p < CHART_POINTS; p++) {
		double out = 0, in = 0, busy = 0, memory = 0;
		unsigned n = 0;

		for (unsigned i = 0; i < each; i++) {
			const struct node_sample *s =
			    history_node(c->w->history, HISTORY_SAMPLES - 1 - (p * each + i));

			if (s == NULL)
				continue;
			n++;
			out += (double)s->sum.bytes_out / HISTORY_STEP_S;
			in += (double)s->sum.bytes_in / HISTORY_STEP_S;
			busy += (double)s->load / cpus * 100;
			memory += (double)s->memory * 100;
		}
		bits->a[p] = n > 0 ? (float)(out / n) : NAN;
		bits->b[p] = n > 0 ? (float)(in / n) : NAN;
		load->a[p] = n > 0 ? (float)(busy / n) : NAN;
		load->b[p] = n > 0 ? (float)(memory / n) : NAN;
	}
}

static double
most(const float *v)
{
	double m = 0;

	for (unsigned i = 0; i < CHART_POINTS; i++)
		m = (double)v[i] > m ? (double)v[i] : m;
	return m;
}

static void
bits_label(struct buf *b, double v)
{
	page_bits(b, v);
}

static void
pct_label(struct buf *b, double v)
{
	buf_printf(b, "%.0f&nbsp;%%", v);
}

static void
plot(struct call *c, struct buf *b, const struct chart *k)
{
	int64_t end = history_newest(c->w->history);

	page_add(b, " <div class=\"plot\" aria-hidden=\"true\"><div class=\"y\">");
	for (int i = 3; i >= 0; i--) {
		page_add(b, "<span data-v=\"");
		if (i == 0)
			buf_puts(b, "0");
		else
			k->label(b, k->top * i / 3);
		page_add(b, "\"></span>");
	}
	page_add(b,
	    "</div><svg viewBox=\"0 0 600 150\" preserveAspectRatio=\"none\"><path class=\"g\" d=\"M0 0H600\"/><path "
	    "class=\"g\" d=\"M0 50H600\"/><path class=\"g\" d=\"M0 100H600\"/><path class=\"g\" d=\"M0 "
	    "150H600\"/><path class=\"a\" d=\"");
	area(b, k->a, CHART_POINTS, CHART_W, CHART_H, k->top);
	page_add(b, "\"/><path d=\"");
	(void)path(b, k->a, CHART_POINTS, CHART_W, CHART_H, k->top);
	page_add(b, "\"/><path class=\"b\" d=\"");
	(void)path(b, k->b, CHART_POINTS, CHART_W, CHART_H, k->top);
	page_add(b, "\"/></svg><div class=\"x\">");
	for (int i = 4; i >= 0 && end > 0; i--) {
		int64_t t = end - i * 900;

		buf_printf(b, "<span data-v=\"%02d:%02d\"></span>", (int)(t / 3600 % 24),
		    (int)(t / 60 % 60));
	}
	page_add(b, "</div></div>\n");
}

static void
data(struct call *c, struct buf *b, const struct chart *k)
{
	int64_t end = history_newest(c->w->history);

	page_add(b,
	    " <details><summary>Show data</summary>\n  <div class=\"wrap\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"%s, data\"><table class=\"plain\"><caption class=\"vh\">%s, data</caption>\n   <thead><tr><th "
	    "scope=\"col\">Time, UTC</th><th class=\"num\" scope=\"col\">%s</th><th class=\"num\" "
	    "scope=\"col\">%s</th></tr></thead>\n   <tbody>\n",
	    k->title, k->title, k->one, k->two);
	for (int i = 4; i >= 0; i--) {
		unsigned p = CHART_POINTS - 1 - (unsigned)i * (CHART_POINTS - 1) / 4;
		int64_t t = end - i * 900;

		if (isnan(k->a[p]))
			continue;
		page_add(b, "    <tr><th scope=\"row\">%02d:%02d</th><td class=\"num\">",
		    (int)(t / 3600 % 24), (int)(t / 60 % 60));
		k->label(b, (double)k->a[p]);
		page_add(b, "</td><td class=\"num\">");
		k->label(b, (double)k->b[p]);
		page_add(b, "</td></tr>\n");
	}
	page_add(b, "   </tbody></table></div>\n </details>\n");
}

static void
figure(struct call *c, struct buf *b, const struct chart *k)
{
	page_add(b,
	    "<figure class=\"box fig\" aria-labelledby=\"%s\">\n <figcaption><div class=\"boxhead\"><h2 "
	    "id=\"%s\">%s</h2><span class=\"key\">%s</span> <span class=\"key k2\">%s</span></div></figcaption>\n",
	    k->id, k->id, k->title, k->one, k->two);
	plot(c, b, k);
	page_add(b, " <p class=\"mute\">%s ", k->one);
	k->label(b, (double)k->a[CHART_POINTS - 1]);
	page_add(b, " now, peak ");
	k->label(b, most(k->a));
	page_add(b, ". %s ", k->two);
	k->label(b, (double)k->b[CHART_POINTS - 1]);
	page_add(b, " now, peak ");
	k->label(b, most(k->b));
	page_add(b, ".</p>\n");
	data(c, b, k);
	page_add(b, "</figure>\n");
}

void
overview_charts(struct call *c, struct buf *b)
{
	struct chart bits = { .id = "g1",
		.title = "Bandwidth, last hour",
		.one = "Out",
		.two = "In",
		.label = bits_label };
	struct chart load = { .id = "g2",
		.title = "System load, last hour",
		.one = "Load per processor",
		.two = "Memory",
		.label = pct_label };

	if (history_depth(c->w->history) == 0)
		return;
	gather(c, &bits, &load);
	bits.top = most(bits.a) > most(bits.b) ? most(bits.a) : most(bits.b);
	bits.top = bits.top > 125 ? bits.top : 125; /* 1 kb/s: silence is a flat line */
	load.top = most(load.a) > 100 ? most(load.a) : 100;
	page_add(b, "<div class=\"cols\">\n");
	figure(c, b, &bits);
	figure(c, b, &load);
	page_add(b, "</div>\n");
}
