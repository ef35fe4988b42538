// Runs every *.spec.js of this folder, or those named: each exports { before, tests: { name: fn }, after }.
// One line per test; exit 1 when any failed.
'use strict';
const fs = require('fs');
const path = require('path');

async function main() {
	const named = process.argv.slice(2);
	const files = fs.readdirSync(__dirname).filter((f) => f.endsWith('.spec.js') && (!named.length || named.includes(f)));
	let failed = 0, count = 0;
	for (const file of files) {
		const spec = require(path.join(__dirname, file));
		const t = {};
		const step = async (name, fn) => {
			const start = Date.now();
			let timer;
			try {
				await Promise.race([fn(t), new Promise((_, no) => {
					timer = setTimeout(() => no(new Error('not finished within 90 s')), 90000);
				})]);
				if (name) console.log(`  ok    ${file}: ${name} (${Date.now() - start} ms)`);
			} catch (e) {
				failed++;
				console.log(`  FAIL  ${file}: ${name || 'set-up or end'}\n${e.stack}`);
			}
			clearTimeout(timer);
		};
		const before = failed;
		await step(null, spec.before);
		for (const [name, fn] of Object.entries(failed === before ? spec.tests : {})) {
			count++;
			await step(name, fn);
		}
		await step(null, spec.after);
	}
	console.log(`web: ${count} tests, ${failed} failed`);
	process.exit(failed || !count ? 1 : 0);
}
main();
