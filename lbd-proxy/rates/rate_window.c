/* Sliding windows: see the header. */
#include "rate_window.h"

/* As it is at an instant: stretches that are over have moved. */
static struct rate_window
moved(const struct rate_window *w, mono_t at, dur_t window)
{
	struct rate_window r = *w;

	if (at < r.begin + window)
		return r;
	if (at >= r.begin + 2 * window) /* nothing of either is left */
		return (struct rate_window){ .begin = at };
	r.before = r.now;
	r.now = 0;
	r.begin += window;
	return r;
}

void
rate_window_add(struct rate_window *w, mono_t at, dur_t window, uint64_t n)
{
	if (w->begin == 0)
		w->begin = at;
	*w = moved(w, at, window);
	w->now += n;
}

uint64_t
rate_window_get(const struct rate_window *w, mono_t at, dur_t window)
{
	struct rate_window r = moved(w, at, window);
	dur_t in = at > r.begin ? at - r.begin : 0;

	return r.now + (uint64_t)((double)r.before * (double)(window - in) / (double)window);
}
