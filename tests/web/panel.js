// A browser in front of the panel: logged in, with script or without; what axe says; what the console complains of is a failure.
'use strict';
const assert = require('assert');
const fs = require('fs');
const { chromium } = require('playwright-core');
const { SLOW } = require('./lbd.js');

const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

async function login(page, t, user = 'admin', password = t.lbd.password()) {
	await page.goto(`${t.lbd.url}/login`);
	await page.fill('#u', user);
	await page.fill('#p', password);
	await page.click('input[value="Log in"]');
	await page.waitForSelector('#vips-t');
}

async function context(t, options = {}) {
	const c = await t.browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 }, ...options });
	const page = await c.newPage();
	page.setDefaultTimeout(8000 * SLOW);
	page.faults = [];
	page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) page.faults.push(m.text()); });
	page.on('pageerror', (e) => page.faults.push(String(e)));
	return { c, page };
}

// Logged in (as the first user, or as another), with script or without; what the console complains of is a failure.
async function panel(t, { user, password, ...options }, fn) {
	const { c, page } = await context(t, options);
	try {
		await login(page, t, user, password);
		await fn(page, c);
		assert.deepStrictEqual(page.faults, [], 'console');
	} finally {
		await c.close();
	}
}

async function axe(page, what) {
	await page.evaluate(axeSource);
	const r = await page.evaluate(() => window.axe.run(document, {
		runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
	}));
	assert.deepStrictEqual(r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`), [], what);
}

const launch = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });

module.exports = { launch, login, context, panel, axe };
