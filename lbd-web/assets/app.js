/* Optional: every page works without this file. */
(function () {
'use strict';
var d = document, root = d.documentElement, table = d.getElementById('vips-t'), source = null, wait = 0;
root.classList.add('js');

/* Theme without a round trip; the cookie is the one that the plain form sets. */
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
	Array.prototype.forEach.call(table.tBodies, function (b) {
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
			var again = Array.prototype.find.call(now.nodeType === 1 ? now.querySelectorAll('[aria-label]') : [],
				function (x) { return x.getAttribute('aria-label') === held; });
			if (again) again.focus();
		}
		return;
	}
	Array.prototype.slice.call(old.attributes).forEach(function (a) {
		if (!now.hasAttribute(a.name)) old.removeAttribute(a.name);
	});
	Array.prototype.forEach.call(now.attributes, function (a) {
		if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
	});
	var kids = Array.prototype.slice.call(now.childNodes);
	Array.prototype.slice.call(old.childNodes).forEach(function (k, i) { morph(k, kids[i]); });
}
function parse(html) { return new DOMParser().parseFromString(html, 'text/html'); }
function take(fresh) {
	Array.prototype.forEach.call(fresh, function (n) {
		var old = n.id && d.getElementById(n.id);
		if (old) morph(old, d.importNode(n, true));
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
function stop() { if (source) source.close(); source = null; }
function start() {
	var every = d.getElementById('every');
	stop();
	if (!table || !window.EventSource || d.hidden || (every && every.value === '0')) return;
	source = new EventSource('/ui/events' + location.search);
	source.addEventListener('row', function (e) { take(parse('<table>' + e.data + '</table>').querySelectorAll('tbody[id]')); });
	source.addEventListener('part', function (e) { take(parse(e.data).body.children); });
	source.addEventListener('reload', reload);
	root.setAttribute('data-live', 'yes');
}
d.addEventListener('visibilitychange', function () { if (d.hidden) stop(); else { reload(); start(); } });
addEventListener('pagehide', stop);
start();

/* Fold and unfold in place: the link leads to the same page with one service more or less. */
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
