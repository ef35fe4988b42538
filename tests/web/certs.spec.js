// Certificates in the panel: made, asked for, imported with a password, refused in one sentence, deleted; keys are never shown.
'use strict';
const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { Lbd, waitUntil, freePort } = require('./lbd.js');
const { launch, panel, axe } = require('./panel.js');

// A certificate of another authority: files below the test's root.
function made(t, name) {
	const at = (end) => path.join(t.lbd.root, `${name}.${end}`);
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '20',
		'-subj', `/CN=${name}.example.org`, '-addext', `subjectAltName=DNS:${name}.example.org`, '-keyout', at('key'), '-out', at('pem')],
	{ stdio: 'ignore' });
	execFileSync('openssl', ['pkcs12', '-export', '-inkey', at('key'), '-in', at('pem'), '-out', at('p12'), '-passout', 'pass:open it'],
		{ stdio: 'ignore' });
	return { pem: fs.readFileSync(at('pem'), 'utf8'), key: fs.readFileSync(at('key'), 'utf8'), p12: fs.readFileSync(at('p12')).toString('base64') };
}
const line = (page, name) => page.textContent(`tr:has(th:text-is("${name}"))`);
const refused = async (page, words) => {
	assert.match(await page.textContent('[role=alert]'), words);
	page.faults = page.faults.filter((f) => !/4\d\d/.test(f));
};
async function bring(page, t, fields) {
	await page.goto(`${t.lbd.url}/certs`);
	for (const [id, value] of Object.entries(fields)) await page.fill(`#i-${id}`, value);
	await page.click('input[name=import]');
}

module.exports = {
	async before(t) {
		t.lbd = new Lbd();
		await t.lbd.setUp();
		await t.lbd.startAll();
		t.one = made(t, 'one');
		t.two = made(t, 'two');
		t.browser = await launch();
	},

	tests: {
		'a key of its own, self-signed; which services use it; a request by its key': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			await page.click('.nav a:has-text("Certificates")');
			await page.waitForSelector('text=No certificates yet');
			await page.fill('#n-name', 'own');
			await page.fill('#n-san', 'own.example.org,192.0.2.7');
			await page.click('input[name=new]');
			await page.waitForSelector('th:text-is("own")');
			assert.match(await line(page, 'own'), /Good.*own\.example\.org.*itself.*36[45].*none/s);
			t.lbd.ctl('create', 'tls', 'main', 'cert=own');
			t.lbd.ctl('create', 'vip', 'shop', 'address=127.0.0.3', `ports=${await freePort()}`, 'mode=http', 'tls=main');
			await waitUntil(async () => { await page.reload(); return /shop/.test(await line(page, 'own')); }, 'the user');
			await page.click('[aria-label="Request for own"]');
			const pem = await page.textContent('pre');
			const text = execFileSync('openssl', ['req', '-noout', '-verify', '-text'], { input: pem, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
			assert.match(text, /own\.example\.org/);
		}),

		'a request to an authority keeps its row until the answer comes': (t) => panel(t, {}, async (page) => {
			await page.goto(`${t.lbd.url}/certs`);
			await axe(page, 'certificates');
			await page.fill('#n-name', 'asked');
			await page.fill('#n-cn', 'asked.example.org');
			await page.click('input[name=csr]');
			assert.match(await page.textContent('pre'), /BEGIN CERTIFICATE REQUEST/);
			await axe(page, 'request');
			await page.goto(`${t.lbd.url}/certs`);
			assert.match(await line(page, 'asked'), /Requested/);
			await page.fill('#n-name', 'asked');
			await page.click('input[name=new]');
			await refused(page, /cert asked: exists already/);
		}),

		'import of PEM and PKCS#12; another key and a wrong password are refused in one sentence': (t) => panel(t, {}, async (page) => {
			await bring(page, t, { name: 'one', file: t.one.pem, key: t.two.key });
			await refused(page, /key/);
			await bring(page, t, { name: 'two', file: t.two.p12, password: 'another' });
			await refused(page, /password/);
			await bring(page, t, { name: 'two', file: '***' });
			await refused(page, /file: is neither PEM nor base64/);
			await bring(page, t, { name: 'one', file: t.one.pem });
			await refused(page, /key: is neither in the file nor with lbd-proxy/);
			await bring(page, t, { name: 'one', file: t.one.pem, key: t.one.key });
			await page.waitForSelector('th:text-is("one")');
			assert.match(await line(page, 'one'), /Ends within a month.*one\.example\.org/s);
			assert.ok(await page.isVisible('tr:has(th:text-is("one")) .st.warn'));
			await bring(page, t, { name: 'two', file: t.two.p12, password: 'open it' });
			await page.waitForSelector('th:text-is("two")');
			const all = await page.content();
			assert.ok(!all.includes('PRIVATE KEY'));
			assert.ok(!t.lbd.text().includes('PRIVATE KEY') && !t.lbd.text().includes('open it'));
		}),

		'delete asks first; one that is in use is kept by the store': (t) => panel(t, { javaScriptEnabled: false }, async (page) => {
			await page.goto(`${t.lbd.url}/certs`);
			await page.click('[aria-label="Delete two"]');
			assert.match(await page.textContent('h1'), /Delete two\?/);
			await page.click('input.red');
			await page.waitForSelector('h1:text-is("Certificates")');
			assert.strictEqual(await page.$('th:text-is("two")'), null);
			await page.click('[aria-label="Delete own"]');
			assert.match(await page.textContent('main'), /Used by: shop/);
			await page.click('input.red');
			await refused(page, /own/);
			await page.goto(`${t.lbd.url}/certs`);
			await page.waitForSelector('th:text-is("own")');
		}),

		'who may not change certificates sees the list and no forms': async (t) => {
			t.lbd.input('an operator\'s word\n', 'user', 'add', 'eve', '--role', 'operator', '--stdin');
			await panel(t, { user: 'eve', password: 'an operator\'s word' }, async (page) => {
				await page.goto(`${t.lbd.url}/certs`);
				await page.waitForSelector('th:text-is("own")');
				assert.strictEqual(await page.$('input[name=import], [name=delete]'), null);
			});
		},
	},

	async after(t) {
		if (t.browser) await t.browser.close();
		await t.lbd.end();
	},
};
