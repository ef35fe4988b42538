// Persistence entries: shown a page at a time, filtered, forgotten one by one or all of a server, as CSV.
'use strict';
const assert = require('assert');
const http = require('http');
const { Lbd, Origin, waitUntil, freePort } = require('./lbd.js');
const { launch, panel, axe } = require('./panel.js');

const VIP = '127.0.0.3';

function visit(t, from) {
	return new Promise((done, no) => http.get({ host: VIP, port: t.port, localAddress: from, agent: false }, (r) => {
		let text = '';
		r.on('data', (d) => { text += d; });
		r.on('end', () => done(text.trim()));
	}).on('error', no));
}
const clients = (page) => page.$$eval('main tbody th', (h) => h.map((x) => x.textContent));
const listed = (t, ...args) => JSON.parse(t.lbd.ctl('persist', 'list', 'shop', ...args, '-o', 'json'));

module.exports = {
	async before(t) {
		t.lbd = new Lbd();
		await t.lbd.setUp();
		await t.lbd.startAll();
		t.o = [];
		t.port = await freePort();
		t.lbd.ctl('create', 'vip', 'shop', `address=${VIP}`, `ports=${t.port}`, 'mode=http', 'persistence=source');
		for (const name of ['a', 'b']) {
			const o = await new Origin(name).start();
			t.o.push(o);
			t.lbd.ctl('create', 'rip', `shop/${name}`, 'address=127.0.0.1', `port=${o.port}`);
		}
		await waitUntil(async () => await visit(t, '127.0.1.1') !== '' && listed(t).length > 0, 'the first entry');
		t.at = {};
		for (let i = 1; i <= 150; i++) t.at[`127.0.1.${i}`] = await visit(t, `127.0.1.${i}`);
		t.browser = await launch();
	},

	tests: {
		'A079 entries are shown by pages of 100, each once, with script and without': async (t) => {
			for (const javaScriptEnabled of [true, false])
				await panel(t, { javaScriptEnabled }, async (page) => {
					await page.click('.nav a:has-text("Persistence")');
					const first = await clients(page);
					assert.strictEqual(first.length, 100);
					if (javaScriptEnabled) await axe(page, 'persistence');
					await page.click('a[rel=next]');
					const all = [...first, ...await clients(page)];
					assert.strictEqual(await page.textContent('nav[aria-label=Pages] span'), '101 to 150');
					assert.deepStrictEqual([...new Set(all)].sort(), Object.keys(t.at).sort());
					await page.click('a[rel=prev]');
					assert.deepStrictEqual(await clients(page), first);
				});
		},

		'A079 the API leaves out the first entries of one service': (t) => panel(t, {}, async (page) => {
			const ask = (q) => page.request.get(`${t.lbd.url}/api/v1/persistence?${q}`, { headers: { Accept: 'application/json' } });
			const rest = await (await ask('vip=shop&skip=140')).json();
			assert.deepStrictEqual([rest.items.length, rest.more], [10, false]);
			const some = await (await ask('rip=shop/b&skip=3&limit=4')).json();
			assert.deepStrictEqual([some.items.length, some.more], [4, true]);
			const r = await ask('skip=140');
			assert.match((await r.json()).detail, /skip: only for persistence of one vip or rip/);
		}),

		'A079 a filter by client and server; the other layer has none': (t) => panel(t, {}, async (page) => {
			await page.goto(`${t.lbd.url}/persistence?vip=shop`);
			await page.fill('#pc', '127.0.1.0/29');
			await page.click('input[value=Filter]');
			assert.deepStrictEqual((await clients(page)).sort(), [1, 2, 3, 4, 5, 6, 7].map((i) => `127.0.1.${i}`));
			await page.click('tbody a:text-is("shop/a")');
			await page.waitForSelector('h1 + p:has-text("shop/a")');
			for (const c of await clients(page)) assert.strictEqual(t.at[c], 'a');
			await page.goto(`${t.lbd.url}/persistence?layer=4`);
			await page.waitForSelector('text=No client is kept');
			await page.goto(`${t.lbd.url}/persistence?rip=shop/nobody`);
			assert.match(await page.textContent('[role=alert]'), /rip shop\/nobody does not exist/);
			page.faults = page.faults.filter((f) => !f.includes('404'));
		}),

		'A079 one client is forgotten by one click, and the clients of a server after a question': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			await page.goto(`${t.lbd.url}/persistence?client=127.0.1.7`);
			await page.click('[aria-label="Forget 127.0.1.7 of shop"]');
			await page.waitForURL(/vip=shop/);
			assert.strictEqual(listed(t, '--client', '127.0.1.7').length, 0);
			assert.strictEqual(listed(t).length, 149);
			await page.goto(`${t.lbd.url}/persistence?rip=shop/a`);
			await page.click('input[value="Forget every client of shop/a"]');
			assert.match(await page.textContent('h1'), /Forget every client of shop\/a\?/);
			assert.strictEqual(listed(t).length, 149, 'nothing is done yet');
			await page.click('input.red');
			await page.waitForSelector('text=No client is kept');
			const left = listed(t);
			assert.ok(left.length > 0 && left.every((e) => e.rip === 'shop/b'));
			assert.match(t.lbd.text(), /user admin from panel 127\.0\.0\.1: forget every client of shop\/a/);
		}),

		'A079 CSV has every line that the filter leaves': (t) => panel(t, {}, async (page) => {
			await page.goto(`${t.lbd.url}/persistence?vip=shop`);
			const href = await page.getAttribute('a:has-text("Download CSV")', 'href');
			const r = await page.request.get(`${t.lbd.url}${href}`);
			assert.match(r.headers()['content-disposition'], /persistence\.csv/);
			const lines = (await r.text()).trim().split('\n');
			assert.strictEqual(lines[0], 'service,client,server,left_s');
			assert.strictEqual(lines.length - 1, listed(t).length);
			assert.match(lines[1], /^shop,"127\.0\.1\.\d+",shop\/b,\d+$/);
		}),
	},

	async after(t) {
		if (t.browser) await t.browser.close();
		for (const o of t.o || []) await o.stop();
		await t.lbd.end();
	},
};
