// System Overview in a real browser and in links: states, unfolding, orders, live updates, themes, accessibility.
'use strict';
const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const { Lbd, Origin, waitUntil, freePort } = require('./lbd.js');
const { launch, context, panel, axe } = require('./panel.js');

const VIP = '127.0.0.3';
const FAST = ['interval=200ms', 'timeout=150ms', 'rise=1', 'fall=1'];

const word = (page, vip) => page.textContent(`#${vip} .vip .st`);
const ripWord = (page, vip, rip) => page.textContent(`#${vip} tr.rip:has(th:text-is("${rip}")) .st`);
const become = (page, vip, want, ms) => waitUntil(async () => await word(page, vip) === want, `${vip} to be ${want}`, ms);

// Everything that the tests look at: one service per colour, real servers.
async function scene(t) {
	t.o = {};
	for (const name of ['a', 'b', 'c', 'd', 'e']) t.o[name] = await new Origin(name).start();
	for (const name of ['tcp', 'tcp2']) t.o[name] = await new Origin(name, true).start();
	const [dead, dead2] = [await freePort(), await freePort()];
	t.port = {};
	const vip = async (name, mode, ...rips) => {
		t.port[name] = await freePort();
		t.lbd.ctl('create', 'vip', name, `address=${VIP}`, `ports=${t.port[name]}`, `mode=${mode}`,
			`check=${mode === 'http' ? 'page' : 'port'}`);
		for (const [n, port] of rips) t.lbd.ctl('create', 'rip', `${name}/${n}`, 'address=127.0.0.1', `port=${port}`);
	};
	t.lbd.ctl('create', 'check', 'page', 'kind=http', ...FAST);
	t.lbd.ctl('create', 'check', 'port', 'kind=tcp', ...FAST);
	await vip('green', 'http', ['a', t.o.a.port], ['b', t.o.b.port]);
	await vip('yellow', 'http', ['c', t.o.c.port], ['gone', dead]);
	await vip('red', 'http', ['gone1', dead], ['gone2', dead2]);
	await vip('blue', 'http', ['d', t.o.d.port], ['e', t.o.e.port]);
	await vip('grey', 'http');
	await vip('bytes', 'tcp', ['tcp', t.o.tcp.port], ['tcp2', t.o.tcp2.port]);
	t.lbd.ctl('halt', 'blue/d', 'blue/e');
}

module.exports = {
	async before(t) {
		t.lbd = new Lbd();
		await t.lbd.setUp();
		await t.lbd.startAll();
		t.browser = await launch();
	},

	tests: {
		'S052 empty overview says what to do': (t) => panel(t, {}, async (page) => {
			assert.match(await page.textContent('#vips-t'), /No virtual services yet/);
			await axe(page, 'empty overview');
		}),

		'log in: a wrong password is refused in words, and the page is accessible': async (t) => {
			const { c, page } = await context(t);
			await page.goto(`${t.lbd.url}/`);
			assert.match(page.url(), /\/login$/);
			await axe(page, 'log in');
			await page.fill('#u', 'admin');
			await page.fill('#p', 'wrong password');
			await page.click('input[value="Log in"]');
			assert.match(await page.textContent('[role=alert]'), /user name or the password is wrong/);
			await axe(page, 'log in, refused');
			await c.close();
		},

		'S183 to S187 every colour is reproduced, with its word': async (t) => {
			await scene(t);
			await panel(t, {}, async (page) => {
				await page.goto(`${t.lbd.url}/?open=all`);
				await become(page, 'green', 'Healthy', 60000);
				await become(page, 'yellow', 'Degraded');
				await become(page, 'red', 'Down');
				await become(page, 'blue', 'Offline (halt)');
				await become(page, 'grey', 'Unknown');
				for (const [id, cls] of [['green', 'ok'], ['yellow', 'warn'], ['red', 'down'], ['blue', 'off'], ['grey', 'unk']])
					assert.ok(await page.isVisible(`#${id} .vip.${cls} .st.${cls}`), `${id} has the class ${cls}`);
				assert.strictEqual(await ripWord(page, 'yellow', 'c'), 'Healthy');
				assert.strictEqual(await ripWord(page, 'yellow', 'gone'), 'Down');
				assert.strictEqual(await ripWord(page, 'blue', 'd'), 'Offline (halt)');
				// Said once lbd-proxy has counted: no connection is left.
				await waitUntil(async () => /Safe to power off/.test(await page.textContent('#blue')), 'the halted servers to be free');
				assert.match(await page.textContent('#red'), /down since/);
			});
		},

		'S182 columns are there, and counters move with traffic': (t) => panel(t, {}, async (page) => {
			const heads = await page.$$eval('#vips-t > thead th', (h) => h.map((x) => x.textContent));
			assert.deepStrictEqual(heads, ['Status', 'Virtual service', 'IP address', 'Ports', 'Conns', 'Protocol', 'Method',
				'Mode', 'Servers up', 'Traffic', 'Last hour']);
			const s = net.connect(t.port.bytes, VIP);
			await new Promise((done) => s.once('data', done));
			await waitUntil(async () => await page.textContent('#bytes [data-l=Conns]') === '1', 'one connection to be shown');
			s.destroy();
			await waitUntil(async () => await page.textContent('#bytes [data-l=Conns]') === '0', 'none to be shown');
			assert.match(await page.textContent('#bytes'), /TCP.*Layer.7.*Proxy/s);
		}),

		'S188 a row unfolds in place with script': (t) => panel(t, {}, async (page) => {
			await page.evaluate(() => { window.same = true; });
			await page.click('#green a.exp');
			await page.waitForSelector('#green tr.rip');
			assert.strictEqual(await page.getAttribute('#green a.exp', 'aria-expanded'), 'true');
			assert.ok(await page.evaluate(() => window.same), 'no page was loaded');
			assert.match(page.url(), /open=green/);
			await axe(page, 'unfolded');
			await page.click('#green a.exp');
			await page.waitForSelector('#green tr.rip', { state: 'detached' });
		}),

		'S188 a row unfolds by its link without script': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			await page.click('#green a.exp');
			await page.waitForSelector('#green tr.rip');
			await page.click('#yellow a.exp');
			await page.waitForSelector('#yellow tr.rip');
			assert.ok(await page.isVisible('#green tr.rip'), 'the other one stays unfolded');
		}),

		'S189 S190 drain, halt and online by click, with script and without': async (t) => {
			for (const javaScriptEnabled of [true, false])
				await panel(t, { javaScriptEnabled }, async (page) => {
					await page.goto(`${t.lbd.url}/?open=green`);
					for (const [label, want] of [['Drain', 'Offline (drain)'], ['Halt', 'Offline (halt)'], ['Online', 'Healthy']]) {
						await page.click(`[aria-label="${label} green/a"]`);
						await page.waitForSelector('#green tr.rip');
						await waitUntil(async () => {
							if (!javaScriptEnabled) await page.reload();
							return await ripWord(page, 'green', 'a') === want;
						}, `green/a to be ${want}`);
					}
				});
			assert.match(t.lbd.text(), /user admin from panel 127\.0\.0\.1: drain green\/a/);
			assert.match(t.lbd.ctl('events'), /green\/a/);
		},

		'a halt that would cut connections asks first, and Drain is offered': (t) => panel(t, {}, async (page) => {
			const s = net.connect(t.port.bytes, VIP);
			const name = String(await new Promise((done) => s.once('data', done))).trim();
			await page.goto(`${t.lbd.url}/?open=bytes`);
			await waitUntil(async () => await page.textContent('#bytes .vip [data-l=Conns]') === '1', 'the connection');
			await page.click(`[aria-label="Halt bytes/${name}"]`);
			assert.match(await page.textContent('h1'), new RegExp(`Halt bytes/${name}`));
			assert.match(await page.textContent('main'), /1 connection is open there/);
			await axe(page, 'confirm halt');
			const closed = new Promise((done) => s.once('close', done));
			s.on('error', () => {});
			await page.fill('#why', 'kernel update');
			await page.click('input[name=halt]');
			await waitUntil(async () => await ripWord(page, 'bytes', name) === 'Offline (halt)', 'the halt');
			await closed;
			await waitUntil(async () => /Safe to power off.*kernel update/s.test(await page.textContent('#bytes')), 'safe');
			await page.click(`[aria-label="Online bytes/${name}"]`);
			await become(page, 'bytes', 'Healthy');
		}),

		'Check probes a server now and shows every step': (t) => panel(t, {}, async (page) => {
			await page.goto(`${t.lbd.url}/?open=red`);
			await page.click('[aria-label="Check red/gone1"]');
			await page.waitForSelector('h1:has-text("Check of red/gone1")');
			assert.match(await page.textContent('main ol'), /refused/);
			await axe(page, 'check');
			await page.click('main a.btn');
			await page.waitForSelector('#red tr.rip');
		}),

		'S184 live: a server that dies turns the row yellow without a reload, and back': (t) => panel(t, {}, async (page) => {
			await page.evaluate(() => { window.same = true; });
			await page.focus('#green a.exp');
			const { port } = t.o.b;
			await t.o.b.stop();
			await become(page, 'green', 'Degraded');
			await waitUntil(async () => /2 degraded/.test(await page.textContent('#said')), 'the sentence');
			t.o.b = await new Origin('b').start(port);
			await become(page, 'green', 'Healthy');
			assert.ok(await page.evaluate(() => window.same), 'no page was loaded');
			assert.ok(await page.evaluate(() => document.activeElement.matches('#green a.exp')), 'the focus stayed');
		}),

		'live: services come and go': (t) => panel(t, {}, async (page) => {
			t.lbd.ctl('create', 'vip', 'fresh', `address=${VIP}`, `ports=${await freePort()}`);
			await page.waitForSelector('#fresh');
			t.lbd.ctl('delete', 'vip', 'fresh', '-y');
			await page.waitForSelector('#fresh', { state: 'detached' });
		}),

		'paused means no stream': (t) => panel(t, {}, async (page) => {
			await Promise.all([page.waitForNavigation(), page.selectOption('#every', '0')]);
			assert.strictEqual(await page.inputValue('#every'), '0');
			assert.strictEqual(await page.getAttribute('html', 'data-live'), null);
			await Promise.all([page.waitForNavigation(), page.selectOption('#every', '1')]);
			await page.waitForSelector('html[data-live=yes]');
		}),

		'a panel that does not answer says so, and one that was restarted asks to log in': (t) => panel(t, {}, async (page) => {
			await page.waitForSelector('html[data-live=yes]');
			await t.lbd.stop('lbd-web');
			await page.waitForSelector('#broken');
			assert.match(await page.textContent('#broken'), /does not answer: what is shown is as of \d\d:/);
			await t.lbd.start('lbd-web');
			await page.waitForSelector('#u');
			page.faults = [];
		}),

		'without script the page refreshes itself only on demand': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			assert.ok(!(await page.content()).includes('http-equiv'));
			await page.selectOption('#every', '10');
			await page.click('input[value=Set]');
			assert.ok((await page.content()).includes('http-equiv="refresh" content="10"'));
		}),

		'filter, sort and layer by links and forms': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			const names = () => page.$$eval('#vips-t > tbody[id]', (b) => b.map((x) => x.id));
			await page.fill('#q', 'yell');
			await page.click('input[value=Filter]');
			assert.deepStrictEqual(await names(), ['yellow']);
			await page.click('text=Show all');
			assert.deepStrictEqual(await names(), ['blue', 'bytes', 'green', 'grey', 'red', 'yellow']);
			await page.click('th >> text=Status');
			assert.strictEqual((await names())[0], 'red');
			assert.strictEqual(await page.getAttribute('th[aria-sort]', 'aria-sort'), 'ascending');
			await page.click('#tiles >> text=Offline');
			assert.deepStrictEqual(await names(), ['blue']);
			await page.goto(`${t.lbd.url}/?layer=4`);
			assert.match(await page.textContent('#vips-t'), /No virtual service fits/);
		}),

		'a trial commit is announced, and kept or reverted by its buttons': (t) => panel(t, {}, async (page) => {
			t.lbd.ctl('set', 'vip', 'grey', 'comment=tried', '--confirm', '60s');
			await page.waitForSelector('#trial');
			await axe(page, 'trial');
			await page.click('input[name=revert]');
			await page.waitForSelector('#trial', { state: 'detached' });
			assert.ok(!t.lbd.ctl('get', 'vip', 'grey', '-o', 'json').includes('tried'));
			t.lbd.ctl('set', 'vip', 'grey', 'comment=kept', '--confirm', '60s');
			await page.waitForSelector('#trial');
			await page.click('input[name=keep]');
			await page.waitForSelector('#trial', { state: 'detached' });
			assert.ok(t.lbd.ctl('get', 'vip', 'grey', '-o', 'json').includes('kept'));
		}),

		'light and dark, by preference and by button': async (t) => {
			const bg = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
			await panel(t, { colorScheme: 'dark' }, async (page) => {
				assert.strictEqual(await bg(page), 'rgb(13, 20, 23)');
				await page.goto(`${t.lbd.url}/?open=all`);
				await axe(page, 'dark');
				await page.click('input[name=theme]');
				assert.strictEqual(await bg(page), 'rgb(242, 245, 246)');
				await page.reload();
				assert.strictEqual(await bg(page), 'rgb(242, 245, 246)');
				await axe(page, 'light by button');
			});
			await panel(t, { javaScriptEnabled: false, colorScheme: 'light' }, async (page) => {
				await page.click('input[name=theme]');
				await page.waitForSelector('html.dark');
			});
		},

		'phone: cards, menu, nothing to violate': (t) => panel(t, { viewport: { width: 390, height: 800 } }, async (page) => {
			await page.goto(`${t.lbd.url}/?open=all`);
			await axe(page, 'phone');
			assert.deepStrictEqual(await page.evaluate(() => Array.from(document.body.querySelectorAll('*'))
				.filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.wrap,.vh,thead'))
				.map((e) => e.outerHTML.slice(0, 80))), [], 'no sideways scrolling');
			await page.click('text=Menu');
			assert.ok(await page.isVisible('#nav'));
		}),

		'S205 S206 layer 7 status in a new tab, with HAProxy\'s columns, servers that are down left out, CSV': (t) => panel(t, {}, async (first, c) => {
			const [page] = await Promise.all([c.waitForEvent('page'), first.click('.nav a:has-text("Layer 7 status")')]);
			await page.waitForSelector('h1:text("Layer 7 status")');
			const row = (service, name) => `section:has(h2:text-is("${service}")) tr:has(th:text-is("${name}"))`;
			const words = (service) => page.$$eval(`section:has(h2:text-is("${service}")) tbody th`, (h) => h.map((x) => x.textContent));
			assert.deepStrictEqual(await words('yellow'), ['Frontend', 'c', 'gone', 'Backend']);
			assert.match(await page.textContent(`${row('yellow', 'gone')} .st`), /^DOWN$/);
			assert.match(await page.textContent(`${row('blue', 'd')} .st`), /^MAINT$/);
			assert.match(await page.textContent('.tiles'), /process id[\s\S]*1,000,000\s*at most/);
			const all = async () => Number((await page.textContent(`${row('green', 'Frontend')} td[data-l="Sessions in all"]`)).replace(/,/g, ''));
			const was = await all();
			await (await fetch(`http://${VIP}:${t.port.green}/`)).text();
			await waitUntil(async () => {
				await page.click('text=Read again now');
				return await all() > was;
			}, 'the counters to move');
			await axe(page, 'layer 7 status');
			await page.click('text=Hide servers that are down');
			assert.deepStrictEqual(await words('yellow'), ['Frontend', 'c', 'Backend']);
			const csv = await page.getAttribute('a:has-text("Download CSV")', 'href');
			const lines = (await (await c.request.get(`${t.lbd.url}${csv}`)).text()).split('\n');
			assert.match(lines[0], /^# pxname,svname,qcur/);
			assert.ok(lines.some((l) => l.startsWith('yellow,c,')) && !lines.some((l) => l.startsWith('yellow,gone,')));
		}),

		'links shows the words': async (t) => {
			const r = await t.lbd.fetch('/login', {
				method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
				body: new URLSearchParams({ user: 'admin', password: t.lbd.password() }),
			});
			const cookie = r.headers.get('set-cookie').split(';')[0];
			const text = execFileSync('links', ['-dump', '-width', '140', '-http.extra-header', `Cookie: ${cookie}`,
				`${t.lbd.plain}/?open=all`], { encoding: 'utf8' });
			for (const w of ['Role Master', 'State Active', 'Healthy', 'Degraded', 'Down', 'Offline (halt)', 'Unknown',
				'Virtual service', 'Real server', '[ Drain ]', '[ Halt ]', '[ Online ]', 'Safe to power off', 'admin (account)'])
				assert.ok(text.includes(w), `links does not show "${w}":\n${text}`);
		},

		'unknown: when lbd-check is away its verdicts grow old': (t) => panel(t, {}, async (page) => {
			await t.lbd.stop('lbd-check');
			await page.waitForSelector('text=lbd-check does not run');
			assert.strictEqual(await word(page, 'green'), 'Healthy');
			await waitUntil(async () => await word(page, 'green') === 'Unknown', 'green to be Unknown', 20000);
			assert.strictEqual(await word(page, 'blue'), 'Offline (halt)');
			await t.lbd.start('lbd-check');
			await become(page, 'green', 'Healthy');
		}),

		'account: another password ends the other sessions and removes the first one\'s file': async (t) => {
			await panel(t, {}, async (other) => {
				await panel(t, {}, async (page) => {
					await page.goto(`${t.lbd.url}/account`);
					await axe(page, 'account');
					await page.fill('#old', t.lbd.password());
					await page.fill('#new', 'short');
					await page.click('input[value="Change password"]');
					assert.match(await page.textContent('#new-e'), /8 to 256/);
					await page.fill('#old', t.lbd.password());
					await page.fill('#new', 'a much better password');
					await page.click('input[value="Change password"]');
					assert.match(await page.textContent('main'), /password was changed/);
					await page.goto(t.lbd.url);
					assert.ok(await page.isVisible('#vips-t'), 'this session goes on');
					page.faults = page.faults.filter((f) => !f.includes('422'));
					await page.goto(`${t.lbd.url}/account`);
					await page.click('input[name=logout]');
					await page.waitForSelector('#u');
					await page.goto(t.lbd.url);
					assert.match(page.url(), /\/login/);
				});
				await waitUntil(() => !fs.existsSync(`${t.lbd.root}/var/lib/lbd/initial-password`), 'the file to go');
				await other.goto(t.lbd.url);
				assert.match(other.url(), /\/login/);
				other.faults = [];
			});
		},
	},

	async after(t) {
		if (t.browser) await t.browser.close();
		for (const o of Object.values(t.o || {})) await o.stop();
		await t.lbd.end();
	},
};
