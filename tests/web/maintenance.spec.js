// The maintenance switch of a service: one click, addresses that come through, with script and without, rights, refusals.
'use strict';
const assert = require('assert');
const http = require('http');
const { Lbd, Origin, waitUntil, freePort } = require('./lbd.js');
const { launch, panel, axe } = require('./panel.js');

const VIP = '127.0.0.3';

// The status that a client at this address gets.
function status(t, from) {
	return new Promise((done, no) => http.get({ host: VIP, port: t.port, localAddress: from, agent: false }, (r) => {
		r.resume();
		done(r.statusCode);
	}).on('error', no));
}
const becomes = (t, from, want) => waitUntil(async () => await status(t, from) === want, `${from} to get ${want}`);

module.exports = {
	async before(t) {
		t.lbd = new Lbd();
		await t.lbd.setUp();
		await t.lbd.startAll();
		t.o = await new Origin('a').start();
		t.port = await freePort();
		t.lbd.ctl('create', 'vip', 'shop', `address=${VIP}`, `ports=${t.port}`, 'mode=http');
		t.lbd.ctl('create', 'rip', 'shop/a', 'address=127.0.0.1', `port=${t.o.port}`);
		t.lbd.ctl('create', 'vip', 'plain', `address=${VIP}`, `ports=${await freePort()}`, 'mode=tcp');
		t.browser = await launch();
		await becomes(t, '127.0.0.1', 200);
	},

	tests: {
		'A070 one click begins and ends maintenance, with script and without': async (t) => {
			for (const javaScriptEnabled of [true, false])
				await panel(t, { javaScriptEnabled }, async (page) => {
					await page.goto(`${t.lbd.url}/?open=shop`);
					assert.match(await page.textContent('#shop'), /Maintenance: off/);
					await page.click('[aria-label="Begin maintenance of shop"]');
					await page.waitForSelector('#shop .vip .st.off:text-is("Maintenance")');
					assert.match(page.url(), /open=shop/);
					await becomes(t, '127.0.0.1', 503);
					if (javaScriptEnabled) await axe(page, 'maintenance');
					await page.click('[aria-label="End maintenance of shop"]');
					await page.waitForSelector('[aria-label="Begin maintenance of shop"]');
					assert.strictEqual(await page.$('#shop .vip .st.off'), null);
					await becomes(t, '127.0.0.1', 200);
				});
			assert.match(t.lbd.text(), /user admin from panel 127\.0\.0\.1: POST vip shop: revision/);
		},

		'A070 chosen addresses come through, and a wrong one is refused in the words of the store': (t) => panel(t, {}, async (page) => {
			await page.goto(`${t.lbd.url}/?open=shop`);
			await page.fill('#mb-shop', '127.0.0.9,127.0.1.0/24');
			await page.click('[aria-label="Begin maintenance of shop"]');
			await page.waitForSelector('text=but for 127.0.0.9,127.0.1.0/24');
			await becomes(t, '127.0.0.1', 503);
			assert.strictEqual(await status(t, '127.0.0.9'), 200);
			assert.strictEqual(await status(t, '127.0.1.7'), 200);
			await page.fill('#mb-shop', '127.0.0.1');
			await page.click('[aria-label="Save addresses that come through to shop"]');
			await page.waitForSelector('text=but for 127.0.0.1');
			await becomes(t, '127.0.0.1', 200);
			assert.strictEqual(await status(t, '127.0.0.9'), 503);
			await page.fill('#mb-shop', '300.0.0.1');
			await page.click('[aria-label="Save addresses that come through to shop"]');
			assert.match(await page.textContent('[role=alert]'), /vip shop: maintenance_bypass: .*300\.0\.0\.1/);
			await axe(page, 'refused');
			page.faults = page.faults.filter((f) => !f.includes('422'));
			await page.goto(`${t.lbd.url}/?open=shop`);
			await page.fill('#mb-shop', '');
			await page.click('[aria-label="End maintenance of shop"]');
			await page.waitForSelector('[aria-label="Begin maintenance of shop"]');
			await becomes(t, '127.0.0.9', 200);
		}),

		'A070 who may not change services sees the word and no switch; mode tcp has none': async (t) => {
			t.lbd.ctl('maintenance', 'shop', 'on');
			t.lbd.input('an operator\'s word\n', 'user', 'add', 'eve', '--role', 'operator', '--stdin');
			try {
				await panel(t, { user: 'eve', password: 'an operator\'s word' }, async (page) => {
					await page.goto(`${t.lbd.url}/?open=all`);
					await page.waitForSelector('#shop .vip .st.off:text-is("Maintenance")');
					assert.strictEqual(await page.$('[aria-label$="maintenance of shop"]'), null);
					const csrf = await page.getAttribute('input[name=csrf]', 'value');
					const r = await page.request.post(`${t.lbd.url}/maintenance`,
						{ form: { vip: 'shop', off: '1', csrf }, headers: { Origin: t.lbd.url } });
					assert.strictEqual(r.status(), 403);
				});
			} finally {
				t.lbd.ctl('maintenance', 'shop', 'off');
			}
			await panel(t, {}, async (page) => {
				await page.goto(`${t.lbd.url}/?open=all`);
				assert.ok(!/Maintenance/.test(await page.textContent('#plain')));
			});
		},
	},

	async after(t) {
		if (t.browser) await t.browser.close();
		if (t.o) await t.o.stop();
		await t.lbd.end();
	},
};
