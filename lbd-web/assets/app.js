/* Optional: every page works without this file. */
(function () {
'use strict';
var d = document, root = d.documentElement, table = d.getElementById('vips-t'), source = null, wait = 0;
root.classList.add('js');

/* Theme without a round trip, by the cookie of the form. */
d.addEventListener('submit', function (e) {
	if (!e.submitter || e.submitter.name !== 'theme') return;
	e.preventDefault();
	var dark = root.classList.contains('dark') ||
		(!root.classList.contains('light') && matchMedia('(prefers-color-scheme:dark)').matches);
	root.classList.remove('light', 'dark');
	root.classList.add(dark ? 'light' : 'dark');
	d.cookie = 'lbd-theme=' + (dark ? 'light' : 'dark') + ';path=/;max-age=31536000;samesite=strict' +
		(location.protocol === 'https:' ? ';secure' : '');
});
d.addEventListener('change', function (e) {
	if (e.target.matches('[data-auto]') && e.target.form) e.target.form.requestSubmit();
});
d.addEventListener('keydown', function (e) {
	if (e.key === 'Escape' && location.hash === '#nav') location.hash = 'main';
});
function unfold() {
	var t = location.hash.length > 1 && d.getElementById(location.hash.slice(1)), p = t && t.closest('details');
	if (p) { p.open = true; t.focus(); }
}
addEventListener('hashchange', unfold);
unfold();

/* Filter while typing. */
function filter() {
	var f = d.querySelector('[data-filter]');
	if (!f || !table) return;
	var q = f.value.toLowerCase();
	Array.from(table.tBodies).forEach(function (b) {
		b.hidden = b.textContent.toLowerCase().indexOf(q) < 0;
	});
}
d.addEventListener('input', function (e) { if (e.target.matches('[data-filter]')) filter(); });

/* Make `old` like `now`, touching only what differs, so that focus and selection stay. */
function morph(old, now) {
	if (old.isEqualNode(now)) return;
	if (old.nodeType !== 1 || old.nodeName !== now.nodeName || old.childNodes.length !== now.childNodes.length) {
		var held = old.contains(d.activeElement) && d.activeElement.getAttribute('aria-label');
		old.replaceWith(now);
		if (held) {
			var again = Array.from(now.nodeType === 1 ? now.querySelectorAll('[aria-label]') : []).find(function (x) {
				return x.getAttribute('aria-label') === held;
			});
			if (again) again.focus();
		}
		return;
	}
	Array.from(old.attributes).forEach(function (a) {
		if (!now.hasAttribute(a.name)) old.removeAttribute(a.name);
	});
	Array.from(now.attributes).forEach(function (a) {
		if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
	});
	var kids = Array.from(now.childNodes);
	Array.from(old.childNodes).forEach(function (k, i) { morph(k, kids[i]); });
}
function parse(html) { return new DOMParser().parseFromString(html, 'text/html'); }
/* The sentence that screen readers speak changes at most every 10 s. */
var said = 0, sayLater = 0;
function say(n) {
	clearTimeout(sayLater);
	sayLater = setTimeout(function () {
		var old = d.getElementById('said');
		if (old) old.textContent = n.textContent;
		said = Date.now();
	}, Math.max(0, said + 10000 - Date.now()));
}
function take(fresh) {
	Array.from(fresh).forEach(function (n) {
		var old = n.id && d.getElementById(n.id);
		if (old && n.id === 'said') say(n);
		else if (old) morph(old, d.importNode(n, true));
	});
	filter();
}

/* Live: changed parts arrive as server-sent events; hidden tabs close their stream. */
function reload() {
	clearTimeout(wait);
	wait = setTimeout(function () {
		fetch(location.href).then(function (r) { return r.text(); }).then(function (t) {
			var n = parse(t).getElementById('main'), m = d.getElementById('main');
			if (n && m) { morph(m, d.importNode(n, true)); table = d.getElementById('vips-t'); filter(); }
		});
	}, 200);
}
/* No answer: what is shown is old, and says so. Logged out: the log-in page. */
function broken() {
	var note = d.getElementById('broken'), notes = d.getElementById('notes');
	root.removeAttribute('data-live');
	if (!note && notes) {
		note = d.createElement('section');
		note.id = 'broken';
		note.className = 'note w';
		note.textContent = 'The panel does not answer: what is shown is as of ' + new Date().toISOString().slice(11, 19) + ' UTC.';
		notes.parentNode.insertBefore(note, notes);
	}
	if (source && source.readyState === 2) {
		stop();
		fetch(location.href, { redirect: 'manual' }).then(function (r) {
			if (r.type === 'opaqueredirect') location.reload();
			else setTimeout(start, 10000);
		}, function () { setTimeout(start, 3000); });
	}
}
function healthy() {
	var note = d.getElementById('broken');
	if (note) { note.remove(); reload(); }
	root.setAttribute('data-live', 'yes');
}
function stop() { if (source) source.close(); source = null; }
function start() {
	var every = d.getElementById('every');
	stop();
	if (!table || !window.EventSource || d.hidden || (every && every.value === '0')) return;
	source = new EventSource('/ui/events' + location.search);
	source.addEventListener('row', function (e) { take(parse('<table>' + e.data + '</table>').querySelectorAll('tbody[id]')); });
	source.addEventListener('part', function (e) { take(parse(e.data).body.children); });
	source.addEventListener('reload', reload);
	source.onopen = healthy;
	source.onerror = broken;
}
d.addEventListener('visibilitychange', function () { if (d.hidden) stop(); else { reload(); start(); } });
addEventListener('pagehide', stop);
start();

/* Fold and unfold in place; the address follows. */
d.addEventListener('click', function (e) {
	var a = e.target.closest('a.exp');
	if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
	e.preventDefault();
	var u = new URL(location.href), b = a.closest('tbody'), open = (u.searchParams.get('open') || '').split(',');
	if (open[0] === 'all') { location.href = a.href; return; }
	open = open.filter(function (n) { return n && n !== b.id; });
	if (a.getAttribute('aria-expanded') === 'false') open.push(b.id);
	if (open.length) u.searchParams.set('open', open.join(',')); else u.searchParams.delete('open');
	u.hash = '';
	fetch(u).then(function (r) { return r.text(); }).then(function (t) {
		history.replaceState(null, '', u);
		take([parse(t).getElementById(b.id)].filter(Boolean));
		start();
	});
});
}());
