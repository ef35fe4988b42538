// What the panel's tests share: daemons below a folder of their own, servers to balance, a browser, waiting.
'use strict';
const { spawn, execFileSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const path = require('path');

const BIN = process.env.LBD_BIN || path.resolve(__dirname, '../../build/bin');
const SLOW = Number(process.env.LBD_SLOW || 1);

async function waitUntil(condition, what, ms = 15000) {
	const end = Date.now() + ms * SLOW;
	let last;
	for (;;) {
		try {
			last = await condition();
			if (last) return last;
		} catch (e) {
			last = e;
		}
		if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}; last: ${last}`);
		await new Promise((done) => setTimeout(done, 30));
	}
}

function freePort() {
	return new Promise((done) => {
		const s = net.createServer();
		s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); });
	});
}

// A server that answers every request with its name; tcp: one that says its name and keeps the connection.
class Origin {
	constructor(name, tcp) {
		this.name = name;
		this.sockets = new Set();
		this.server = tcp ? net.createServer((s) => s.write(`${name}\n`)) :
			http.createServer((q, r) => r.end(`${name}\n`));
		this.server.on('connection', (s) => {
			this.sockets.add(s);
			s.on('close', () => this.sockets.delete(s));
			s.on('error', () => {});
		});
	}
	start(port = 0) {
		return new Promise((done) => this.server.listen(port, '127.0.0.1', () => {
			this.port = this.server.address().port;
			done(this);
		}));
	}
	stop() {
		for (const s of this.sockets) s.destroy();
		return new Promise((done) => this.server.close(done));
	}
}

class Lbd {
	constructor() {
		this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'lbd-web.'));
		this.running = {};
		this.log = fs.openSync(path.join(this.root, 'log'), 'a');
	}
	ctl(...args) {
		return execFileSync(path.join(BIN, 'lbctl'), ['--root', this.root, ...args.map(String)], { encoding: 'utf8' });
	}
	input(text, ...args) {
		return execFileSync(path.join(BIN, 'lbctl'), ['--root', this.root, ...args.map(String)], { encoding: 'utf8', input: text });
	}
	async setUp() {
		this.https = await freePort();
		this.http = await freePort();
		this.ctl('set', 'setting', `https_port=${this.https}`, `http_port=${this.http}`);
		this.url = `https://127.0.0.1:${this.https}`;
		this.plain = `http://127.0.0.1:${this.http}`;
	}
	start(name) {
		const p = spawn(path.join(BIN, name), ['--root', this.root], { stdio: ['ignore', this.log, this.log] });
		this.running[name] = p;
		p.gone = new Promise((done) => p.on('exit', (code, signal) => done(signal || code)));
		return waitUntil(() => fs.existsSync(path.join(this.root, `run/lbd/${name}.sock`)), `${name} to start`);
	}
	async stop(name) {
		const p = this.running[name];
		delete this.running[name];
		p.kill('SIGTERM');
		return p.gone;
	}
	async startAll() {
		for (const name of ['lbd-check', 'lbd-proxy', 'lbd-ipvs', 'lbd-ha', 'lbd-web']) await this.start(name);
		await waitUntil(() => this.fetch('/login').then((r) => r.status === 200), 'the panel');
	}
	fetch(what, options = {}) {
		return fetch(this.plain + what, { redirect: 'manual', ...options });
	}
	password() {
		return fs.readFileSync(path.join(this.root, 'var/lib/lbd/initial-password'), 'utf8').trim();
	}
	text() {
		return fs.readFileSync(path.join(this.root, 'log'), 'utf8');
	}
	// Ends what was started here; a daemon that ended badly is a failure.
	async end() {
		const wrong = [];
		for (const name of Object.keys(this.running).reverse()) {
			const code = await this.stop(name);
			if (code !== 0) wrong.push(`${name} ended with ${code}`);
		}
		// A stopped lbd-ha leaves its addresses to the next; here there is none.
		execFileSync(path.join(BIN, 'lbd-ha'), ['--release', '--root', this.root]);
		if (wrong.length) throw new Error(`${wrong.join('; ')}\n${this.text().slice(-3000)}`);
		fs.rmSync(this.root, { recursive: true, force: true });
	}
}

module.exports = { Lbd, Origin, waitUntil, freePort, SLOW };
