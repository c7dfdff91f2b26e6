// What a handler may ask that has another answer at another time, in another process or on another machine. Each row is an
// expression, evaluated in jails of their own: `same` ones must give a value, the same one everywhere; `refused` ones must
// throw ERR_NOT_DETERMINISTIC. In scope: the modules of MODULES by their names, `keys` (PEM), `hex`, `settled` (a promise's
// order), `later`.

export const MODULES = [
  'async_hooks',
  'crypto',
  'diagnostics_channel',
  'dns',
  'events',
  'fs',
  'http',
  'http2',
  'https',
  'inspector',
  'module',
  'net',
  'os',
  'path',
  'perf_hooks',
  'stream',
  'timers',
  'tls',
  'url',
  'util',
  'v8',
  'vm',
  'worker_threads',
  'zlib',
]

export const HELPERS = `
const fsp = fs.promises, { promisify, inspect } = util
const hex = (bytes) => Buffer.from(bytes.buffer ?? bytes, bytes.byteOffset, bytes.byteLength).toString('hex')
const pem = (key) => crypto.createPrivateKey(keys[key])
/** The order in which things that start together end. */
const order = async (starts) => { const ended = []; await Promise.all(Object.keys(starts).map((name) => new Promise((done) => { const end = () => { ended.push(name); done() }; const p = starts[name](end); p?.then?.(end, end) }))); return ended.join() }
const raised = async (call) => { try { return await call() } catch (error) { return [error.name, error.code, error.message] } }
const pair = (bytes) => { const { port1, port2 } = new MessageChannel(); return [port1, port2] }
let folders = 0
const folder = () => { const path = '/tmp/d' + folders++; fs.mkdirSync(path); return path }
const file = (text = 'x') => { const path = folder() + '/f'; fs.writeFileSync(path, text); return path }
const form = () => { const data = new FormData(); data.append('a', 'b'); data.append('f', new File(['x'], 'f.txt')); return data }
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' }
`

export const SAME: Record<string, string> = {
  // clock
  Date: `[Date.now(), new Date().toString(), Date(), new Date().getTimezoneOffset(), new Date().toLocaleString()]`,
  performance: `[performance.now(), performance.timeOrigin, performance.toJSON(), performance.mark('x').startTime, performance.measure('y').duration, performance.getEntries().length]`,
  'performance of perf_hooks': `[perf_hooks.performance.now(), perf_hooks.performance.nodeTiming, perf_hooks.performance.eventLoopUtilization(), inspect(perf_hooks.performance)]`,
  'performance shown': `inspect(performance)`,
  nodeTiming: `[performance.nodeTiming.uvMetricsInfo, performance.nodeTiming.toJSON?.(), inspect(performance.nodeTiming)]`,
  timerify: `(() => { const h = perf_hooks.createHistogram(); const f = perf_hooks.performance.timerify(() => { let x = 0; for (let i = 0; i < 1e5; i++) x += i; return x }, { histogram: h }); f(); return [h.count, h.min, h.mean] })()`,
  createHistogram: `(() => { const h = perf_hooks.createHistogram(); h.record(5); h.record(7); return [h.count, h.min, h.max, h.mean, h.stddev, h.percentile(50), inspect(h)] })()`,
  recordDelta: `(() => { const h = perf_hooks.createHistogram(); h.recordDelta(); let x = 0; for (let i = 0; i < 1e6; i++) x += i; h.recordDelta(); return [h.count, h.min, h.max] })()`,
  observer: `await new Promise((done) => { const o = new PerformanceObserver((list) => { done(list.getEntries().map((e) => [e.name, e.startTime, e.duration])); o.disconnect() }); o.observe({ entryTypes: ['mark', 'measure', 'function', 'gc', 'http', 'net', 'dns'] }); performance.mark('m') })`,
  'observer of functions': `await new Promise((done) => { const o = new PerformanceObserver((list) => done(list.getEntries().length)); o.observe({ type: 'function' }); const f = performance.timerify(() => {}); f(); setTimeout(() => done('none'), 50) })`,
  hrtime: `[process.hrtime(), String(process.hrtime.bigint()), process.uptime(), os.uptime()]`,
  'console.time':
    `(() => { const lines = []; const c = new console_.Console(new stream.Writable({ write: (b, e, d) => { lines.push(String(b)); d() } })); c.time('a'); let x = 0; for (let i = 0; i < 1e6; i++) x += i; c.timeEnd('a'); c.timeLog('a'); return lines })()`.replaceAll(
      'console_',
      `require('console')`,
    ),
  'Event.timeStamp': `[new Event('x').timeStamp, new CustomEvent('x').timeStamp, inspect(new Event('x'))]`,
  'File.lastModified': `new File(['x'], 'f').lastModified`,
  'Intl now': `[new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'full' }).format(), new Intl.DateTimeFormat('en').formatToParts(), new Intl.DateTimeFormat('en', { timeStyle: 'long' }).formatRange(0, Date.now())]`,
  Temporal: `typeof Temporal === 'undefined' ? 'none' : [String(Temporal.Now.instant()), Temporal.Now.timeZoneId()]`,
  'timers at once': `await order({ t2: (e) => setTimeout(e, 2), t1: (e) => setTimeout(e, 1), i: (e) => setImmediate(e), n: (e) => process.nextTick(e), m: (e) => queueMicrotask(e), t1b: (e) => setTimeout(e, 1) })`,
  'AbortSignal.timeout':
    `await new Promise((done) => { const s = AbortSignal.timeout(20); const k = setInterval(() => {}, 5); s.onabort = () => { clearInterval(k); done([performance.now(), s.reason.name, s.reason.message]) } })`.replace(
      'performance.now()',
      '0',
    ),
  'AbortSignal.any': `await new Promise((done) => { const s = AbortSignal.any([AbortSignal.timeout(20), AbortSignal.timeout(10)]); const k = setInterval(() => {}, 5); s.onabort = () => { clearInterval(k); done(s.reason.name) } })`,
  'timeouts shown': `[inspect(setTimeout(() => {}, 1)), inspect(setImmediate(() => {})), +setTimeout(() => {}, 1), Object.keys(setTimeout(() => {}, 1))]`,
  'Atomics.wait': `[Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10), performance.now()]`,

  // randomness
  'Math.random': `[Math.random(), Math.random()]`,
  'random bytes': `[hex(crypto.randomBytes(8)), hex(await promisify(crypto.randomBytes)(8)), hex(crypto.getRandomValues(new Uint8Array(8))), hex(crypto.randomFillSync(Buffer.alloc(8))), hex(await promisify(crypto.randomFill)(Buffer.alloc(8))), crypto.randomInt(1e9), await promisify(crypto.randomInt)(1e9), crypto.randomUUID(), globalThis.crypto.randomUUID(), crypto.randomUUIDv7?.()]`,
  'random with options': `[crypto.randomUUID({ disableEntropyCache: true }), hex(crypto.pseudoRandomBytes(4)), hex(crypto.prng(4)), hex(crypto.rng(4))]`,
  'FormData of Response': `await new Response(form()).text()`,
  'FormData of Request': `[await new Request('http://a/', { method: 'POST', body: form() }).text(), new Request('http://a/', { method: 'POST', body: form() }).headers.get('content-type')]`,
  'FormData parsed': `[...await new Response(form()).formData()].map(([n, v]) => [n, typeof v === 'string' ? v : [v.name, v.lastModified]])`,
  generateKeySync: `[hex(crypto.generateKeySync('aes', { length: 256 }).export()), hex((await promisify(crypto.generateKey)('hmac', { length: 64 })).export())]`,
  'Ed25519 keys': `[crypto.generateKeyPairSync('ed25519', { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }), (await promisify(crypto.generateKeyPair)('x25519')).publicKey.export({ format: 'jwk' })]`,
  'subtle keys': `[(await crypto.subtle.exportKey('jwk', await crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt']))).k, (await crypto.subtle.exportKey('jwk', (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])).privateKey)).d]`,
  'subtle X25519': `(await crypto.subtle.exportKey('jwk', (await crypto.subtle.generateKey('X25519', true, ['deriveBits'])).privateKey)).d`,
  'plain signatures': `[hex(crypto.sign(null, Buffer.from('x'), pem('ed25519'))), hex(crypto.sign('sha256', Buffer.from('x'), pem('rsa'))), hex(crypto.createSign('sha256').update('x').sign(pem('rsa')))]`,
  'web locks': `await navigator.locks.request('x', () => 1)`,
  privateEncrypt: `hex(crypto.privateEncrypt(keys.rsa, Buffer.from('x')))`,
  verification: `[crypto.verify('sha256', Buffer.from('x'), crypto.createPublicKey(keys.rsa), crypto.sign('sha256', Buffer.from('x'), pem('rsa')))]`,
  'export without passphrase': `pem('ec').export({ type: 'pkcs8', format: 'pem' })`,
  'ECDH with a given key': `(() => { const e = crypto.createECDH('prime256v1'); e.setPrivateKey(Buffer.alloc(32, 7)); return [hex(e.getPublicKey()), hex(e.computeSecret(e.getPublicKey()))] })()`,
  buffers: `[Buffer.allocUnsafe(9).toString('hex'), Buffer.allocUnsafeSlow(9).toString('hex'), [Buffer.from('x'), Buffer.from([1, 2]), Buffer.concat([Buffer.from('a'), Buffer.from('b')]), Buffer.from(Buffer.from('y')), Buffer.alloc(2), Buffer.from('eA==', 'base64'), crypto.randomBytes(3), Buffer.of(1), Buffer.copyBytesFrom(new Uint8Array(2)), fs.readFileSync(file()), crypto.createHash('sha1').digest(), new TextEncoder().encode('x')].map((b) => [b.byteOffset, hex(b.buffer)])]`,
  ciphers: `(() => { const c = crypto.createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12)); return [hex(Buffer.concat([c.update('x'), c.final()])), hex(c.getAuthTag()), hex(crypto.scryptSync('a', 'b', 8)), hex(crypto.pbkdf2Sync('a', 'b', 1, 8, 'sha1')), hex(crypto.hkdfSync('sha256', 'a', 'b', 'c', 8))] })()`,
  'privateDecrypt of rubbish': `await raised(() => crypto.privateDecrypt({ key: keys.rsa, padding: crypto.constants.RSA_PKCS1_PADDING }, Buffer.alloc(256, 1)).toString('hex'))`,
  argon2: `typeof crypto.argon2Sync === 'function' ? hex(crypto.argon2Sync('argon2id', { message: 'a', nonce: Buffer.alloc(16), parallelism: 1, tagLength: 8, memory: 64, passes: 1 })) : 'none'`,
  'secure heap': `[crypto.secureHeapUsed(), crypto.getFips?.()]`,

  // process and machine
  process: `[process.pid, process.ppid, process.title, process.argv, process.argv0, process.execPath, process.execArgv, process.cwd(), process.umask(), process.getuid(), process.geteuid(), process.getgid(), process.getgroups(), process.platform, process.arch, process.version, process.versions, process.config, process.features, process.release]`,
  'process usage': `[process.cpuUsage(), process.threadCpuUsage(), process.resourceUsage(), process.memoryUsage(), process.memoryUsage.rss(), process.constrainedMemory(), process.availableMemory()]`,
  environment: `[Object.entries(process.env), process.env.UV_THREADPOOL_SIZE]`,
  'process shown': `[process.allowedNodeEnvironmentFlags.size, process.getActiveResourcesInfo().length, process.report?.filename, process.debugPort, process.exitCode, process.stdin?.constructor?.name, process.stdout.fd, process.stdout.isTTY]`,
  'process keys': `[Object.keys(process), Object.keys(globalThis), Object.getOwnPropertyNames(globalThis)]`,
  'process.stdin': `[process.stdin.fd, process.stdin.readable, process.stdin.isTTY]`,
  listeners: `[process.eventNames().map(String), process.listenerCount('SIGTERM'), process.listenerCount('exit')]`,
  priority: `[os.getPriority(), (os.setPriority(0, 5), os.getPriority()), (os.setPriority(0), os.getPriority()), process.permission?.has('fs.write'), process.permission?.has('worker'), process.permission?.has('addon'), process.permission?.has('child')]`,
  os: `[os.hostname(), os.loadavg(), os.freemem(), os.totalmem(), os.uptime(), os.cpus(), os.networkInterfaces(), os.release(), os.version(), os.machine(), os.arch(), os.platform(), os.type(), os.endianness(), os.tmpdir(), os.availableParallelism(), os.EOL, os.devNull]`,
  'os.userInfo': `await raised(() => os.userInfo())`,
  v8: `[v8.getHeapStatistics(), v8.getHeapSpaceStatistics(), v8.getHeapCodeStatistics(), v8.cachedDataVersionTag()]`,
  'v8 serialisation': `[hex(v8.serialize({ a: [1, 'é', new Date(0), new Map([[1, 2]])] })), v8.startupSnapshot.isBuildingSnapshot()]`,
  navigator: `[navigator.hardwareConcurrency, navigator.language, navigator.languages, navigator.userAgent, navigator.platform]`,
  threads: `[worker_threads.threadId, worker_threads.isMainThread, worker_threads.resourceLimits, inspect(worker_threads.workerData), worker_threads.threadName]`,
  'async id of a resource': `new async_hooks.AsyncResource('x').asyncId()`,
  modules: `[Object.keys(require.cache), module_.children?.length, require.main?.id, require.resolve.paths('x'), module_.paths, module_.id, module_.filename, __filename, __dirname]`,
  'modules of node': `[require('module').builtinModules, require('module').isBuiltin('fs'), await raised(() => require.resolve('./nothing'))]`,
  'require missing': `await raised(() => require('./nothing'))`,
  'require.extensions': `Object.keys(require.extensions)`,
  'module cache': `[require('module')._cache && Object.keys(require('module')._cache), Object.keys(require('module')._pathCache ?? {})]`,
  'compile cache': `[module_.getCompileCacheDir?.(), module_.constants]`.replaceAll('module_', `require('module')`),
  'dynamic import': `await raised(() => import('./nothing'))`,
  TLS: `[tls.DEFAULT_MIN_VERSION, tls.getCiphers().length, tls.rootCertificates.length, crypto.getHashes().length, crypto.getCurves().length, crypto.getCiphers().length]`,
  'CA certificates': `[tls.getCACertificates?.('default').length, await raised(() => tls.getCACertificates('system').length), await raised(() => tls.getCACertificates('extra').length)]`,
  'dns servers': `[dns.getServers(), dns.getDefaultResultOrder()]`,
  'dns errors': `[await raised(() => fsp && dns.promises.lookup('example.com')), await raised(() => dns.promises.resolve4('example.com')), await raised(() => dns.promises.reverse('192.0.2.1'))]`,
  'fetch refused': `await fetch('http://192.0.2.1/').catch((e) => [e.message, e.cause?.code, e.cause?.message])`,
  'connect refused': `await new Promise((done) => net.connect(80, '192.0.2.1').on('error', (e) => done([e.code, e.message])))`,
  listening: `await new Promise((done) => { const s = net.createServer().listen(0, '127.0.0.1').on('error', (e) => done([e.code, e.message])).on('listening', () => { done(s.address()); s.close() }) })`,
  WeakRef: `[new WeakRef({}).deref() !== undefined, String(new WeakRef({}))]`,
  'inspect of memory': `[inspect(new SharedArrayBuffer(4)), inspect(new WeakMap([[{}, 1]]), { showHidden: true }), inspect(process.memoryUsage)]`,
  'inspect of weak collections': `(() => { const objects = Array.from({ length: 40 }, (_, i) => ({ i })); const shown = { showHidden: true, maxArrayLength: 3 }; return [inspect(new WeakSet(objects), shown), inspect(new WeakMap(objects.map((o) => [o, 1])), shown), inspect(new WeakSet()), objects.length] })()`,
  util: `[util.getSystemErrorName(-2), util.getSystemErrorMap().size, util.types.isExternal({}), inspect(new Proxy({}, {}), { showProxy: true })]`,
  'inspect of built-ins': `[inspect(process.versions), inspect(globalThis.crypto), inspect(fs.createReadStream('/node').on('error', () => {}).destroy()).length > 0]`,
  'inspect sockets': `inspect(new net.Socket())`,
  'inspect requests': `inspect(http.request({ socketPath: '/tmp/none' }).on('error', () => {}))`,
  'inspect globalThis': `inspect(globalThis, { depth: 2 })`,
  'inspect process': `inspect(process, { depth: 1 })`,
  'inspect streams': `inspect(zlib.createGzip())`,
  'inspect promises': `inspect(fsp.readFile('/none').catch(() => {}))`,
  'file handle': `await (async () => { const h = await fsp.open(file()); try { return [h.fd > 0, (await h.stat()).ino, inspect(await h.stat())] } finally { await h.close() } })()`,
  'fd numbers': `(() => { const fd = fs.openSync(file()); fs.closeSync(fd); return fd })()`,
  'tracing categories': `[require('trace_events').getEnabledCategories()]`,
  diagnostics: `diagnostics_channel.hasSubscribers('http.client.request.start')`,

  // errors
  stack: `[new Error('x').stack, (() => { try { null.x } catch (e) { return e.stack } })()]`,
  'stack in callbacks': `await new Promise((done) => fs.stat('/none', (e) => done([e.stack, new Error('y').stack])))`,
  'stack of fs.promises': `await fsp.readFile('/none').catch((e) => [e.stack, e.message])`,
  'stack of JSON': `[await raised(() => JSON.parse('{x')), (() => { try { JSON.parse('{') } catch (e) { return e.stack } })()]`,
  'stack of node internals': `(() => { try { fs.readFileSync('/none') } catch (e) { return e.stack } })()`,
  'stack of argument errors': `(() => { try { Buffer.alloc('x') } catch (e) { return e.stack } })()`,
  'stack of events': `await new Promise((done) => { const e = new events(); e.on('x', () => done(new Error('z').stack)); setTimeout(() => e.emit('x'), 1) })`,
  'own prepareStackTrace': `(() => { const old = Error.prepareStackTrace; Error.prepareStackTrace = (e, frames) => frames.map((f) => [f.getFunctionName(), f.getFileName(), f.getLineNumber(), f.getColumnNumber(), f.getTypeName(), f.getMethodName(), f.isAsync(), f.isToplevel(), f.isConstructor(), f.getScriptNameOrSourceURL(), f.getEvalOrigin(), f.isEval(), String(f), String(f.getFunction?.()).length]); try { return new Error('x').stack } finally { Error.prepareStackTrace = old } })()`,
  'frames copied as source-map-support does': `(() => {
    const copyOf = (frame) => { const copy = {}; for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(frame))) copy[name] = /^(?:is|get)/.test(name) ? () => frame[name].call(frame) : frame[name]; return copy }
    Error.prepareStackTrace = (error, frames) => frames.map(copyOf).map((copy) => [copy.getFileName(), copy.getLineNumber(), copy.getFunctionName(), copy.isAsync(), copy.isToplevel()])
    try { return new Error('x').stack } finally { Error.prepareStackTrace = undefined }
  })()`,
  'variables of the environment': `(process.env.A_NEW_ONE = 1, Object.defineProperty(process.env, 'ANOTHER', { value: 'b', writable: true, enumerable: true, configurable: true }), [process.env.A_NEW_ONE, 'ANOTHER' in process.env, delete process.env.ANOTHER, process.env.ANOTHER ?? 'gone', Object.keys(process.env).includes('A_NEW_ONE'), inspect(process.env).length, JSON.stringify(process.env).length, delete process.env.A_NEW_ONE])`,
  'own prepareStackTrace in named code': `(() => { const old = Error.prepareStackTrace; Error.prepareStackTrace = (e, frames) => frames.map(String); const holder = {}; holder.assigned = () => new Error('x').stack; holder.method = { call: function () { return holder.assigned() } }; class Klass { go() { return holder.method.call() } static make = () => new Klass().go() }; try { return Klass.make() } finally { Error.prepareStackTrace = old } })()`,
  'no prepareStackTrace': `(() => { const old = Error.prepareStackTrace; Error.prepareStackTrace = undefined; const holder = {}; holder.assigned = () => new Error('x').stack; try { return holder.assigned() } finally { Error.prepareStackTrace = old } })()`,
  'deleted prepareStackTrace': `(() => { const old = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace'); try { delete Error.prepareStackTrace } catch {} const holder = {}; holder.assigned = () => new Error('x').stack; try { return holder.assigned() } finally { Error.prepareStackTrace = undefined } })()`,
  captureStackTrace: `(() => { const o = {}; Error.captureStackTrace(o); return o.stack })()`,
  getCallSites: `util.getCallSites()`,
  stackTraceLimit: `(() => { const old = Error.stackTraceLimit; Error.stackTraceLimit = 50; try { return new Error('x').stack } finally { Error.stackTraceLimit = old } })()`,
  'stack overflow': `(() => { let n = 0; const f = () => { n++; f() }; try { f() } catch (e) { return [e.message, e.name] } })()`,
  'depth of stack overflow': `(() => { let n = 0; const f = () => { n++; f() }; try { f() } catch (e) { return n } })()`,
  warnings: `await new Promise((done) => { process.once('warning', (w) => done([w.name, w.message, w.stack])); process.emitWarning('x', 'Y') })`,
  'function text': `[String(setTimeout).length > 0, setTimeout.name, setTimeout.length, Math.random.name]`,
  'function text exact': `[String(Math.random), String(setTimeout), String(Date), String(crypto.randomBytes)]`,
  'arguments.callee.caller': `(function () { return arguments.callee.caller === null ? null : String(arguments.callee.caller).length })()`,

  // files
  'stat of /tmp': `[fs.statSync(file()), fs.statSync('/tmp'), fs.statSync(file(), { bigint: true }).mtimeNs.toString()]`,
  'stat as it is': `(({ dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks }) => [dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks])(fs.statSync('/tmp'))`,
  'stat after utimes': `(() => { const f = file(); fs.utimesSync(f, 1, 2); return [fs.statSync(f).mtimeMs, fs.statSync(f).atimeMs] })()`,
  'stat of /': `fs.readdirSync('/', { withFileTypes: true }).map((e) => [e.name, e.isDirectory(), fs.lstatSync('/' + e.name)])`,
  'stat everywhere': `(() => { const all = []; const walk = (p) => { let names; try { names = fs.readdirSync(p) } catch (e) { all.push([p, e.code]); return } for (const n of names) { const q = p === '/' ? '/' + n : p + '/' + n; const s = fs.lstatSync(q); all.push([q, s.mode, s.nlink, s.uid, s.gid, s.size, s.blksize, s.blocks, s.rdev, s.mtimeMs, s.ino, s.dev]); if (s.isDirectory() && !q.startsWith('/tmp')) walk(q) } }; walk('/'); return all })()`,
  'bytes of libraries': `fs.readdirSync('/lib', { recursive: true }).filter((n) => fs.statSync('/lib/' + n).isFile()).map((n) => [n, crypto.createHash('sha256').update(fs.readFileSync('/lib/' + n)).digest('hex')])`,
  'readdir order': `(() => { const p = folder(); for (const n of ['c', 'a', 'b', 'z9', 'm1']) fs.writeFileSync(p + '/' + n, ''); return [fs.readdirSync(p), fs.readdirSync(p, { withFileTypes: true }).map((e) => e.name), fs.readdirSync('/')] })()`,
  'opendir callbacks': `await (async () => { const d = await fsp.opendir('/'), got = [(await d.read()).name, (await promisify(d.read.bind(d))()).name, d.readSync().name]; await d.close(); return [got, await raised(() => d.readSync())] })()`,
  'null device': `(fs.writeFileSync('/dev/null', 'x'), [fs.readFileSync('/dev/null').length, fs.statSync('/dev/null').mode])`,
  'random device': `(() => { const fd = fs.openSync('/dev/urandom'); try { return [fs.readSync(fd, Buffer.alloc(8)), fs.statSync('/dev/urandom').mode & 0o777] } finally { fs.closeSync(fd) } })()`,
  'rm of a folder': `(() => { const p = folder(); fs.writeFileSync(p + '/a', ''); fs.rmSync(p, { recursive: true }); return fs.existsSync(p) })()`,
  'opendir order': `await (async () => { const p = folder(); for (const n of ['c', 'a', 'b', 'z9', 'm1']) fs.writeFileSync(p + '/' + n, ''); const out = []; for await (const e of await fsp.opendir(p)) out.push(e.name); const d = fs.opendirSync(p); let e; while ((e = d.readSync())) out.push(e.name); d.closeSync(); return out })()`,
  glob: `(() => { const p = folder(); for (const n of ['c.x', 'a.x', 'b.x']) fs.writeFileSync(p + '/' + n, ''); return fs.globSync?.(p + '/*.x') })()`,
  mkdtemp: `[fs.mkdtempSync('/tmp/x-'), await fsp.mkdtemp('/tmp/x-'), await promisify(fs.mkdtemp)('/tmp/x-')]`,
  access: `[fs.existsSync('/proc'), fs.existsSync('/etc'), await raised(() => fs.readFileSync('/proc/self/maps')), await raised(() => fs.writeFileSync('/app/x', '')), await raised(() => fs.readdirSync('/run')), fs.realpathSync('/tmp'), fs.realpathSync.native('/tmp'), await raised(() => fs.readlinkSync('/lib'))]`,
  'full disk': `await raised(() => { const p = folder() + '/big'; let n = 0; const fd = fs.openSync(p, 'w'); try { for (;;) n += fs.writeSync(fd, Buffer.alloc(1 << 20)) } catch (e) { return [e.code, n] } finally { fs.closeSync(fd); fs.unlinkSync(p) } })`,
  Dirent: `(({ name, parentPath, path }) => [name, parentPath, path])(fs.readdirSync('/', { withFileTypes: true })[0])`,
  cp: `(() => { const f = file(); fs.cpSync(f, f + '2', { preserveTimestamps: true }); return fs.statSync(f + '2') })()`,
  'Stats class': `[fs.statSync('/tmp').mtime.getTime(), fs.statSync('/tmp').constructor.name, Object.keys(fs.statSync('/tmp'))]`,

  // orders
  'pool order of hashes': `await order(Object.fromEntries([30000, 1, 8000, 200].map((n) => ['k' + n, (e) => crypto.pbkdf2('a', 'b', n, 8, 'sha1', e)])))`,
  'pool order of kinds': `await order({ pbkdf2: (e) => crypto.pbkdf2('a', 'b', 20000, 8, 'sha1', e), file: () => fsp.readFile('/node').then(() => {}), stat: (e) => fs.stat('/tmp', e), gzip: (e) => zlib.gzip(Buffer.alloc(1e6), e), brotli: (e) => zlib.brotliCompress(Buffer.alloc(1e5), e), random: (e) => crypto.randomFill(Buffer.alloc(1e6), e), lookup: (e) => dns.lookup('localhost', e), scrypt: (e) => crypto.scrypt('a', 'b', 8, e), subtle: () => crypto.subtle.digest('SHA-256', new Uint8Array(1e6)), hmac: async () => {} })`,
  'pool and timers': `await order({ pbkdf2: (e) => crypto.pbkdf2('a', 'b', 50000, 8, 'sha1', e), timer: (e) => setTimeout(e, 1), immediate: (e) => setImmediate(e), file: () => fsp.readFile('/tmp/none') })`,
  'pool size set by the bundle': `(process.env.UV_THREADPOOL_SIZE = '8', await order({ slow: (e) => crypto.pbkdf2('a', 'b', 100000, 8, 'sha1', e), fast: (e) => crypto.pbkdf2('a', 'b', 1, 8, 'sha1', e) }))`,
  'race of files': `await Promise.race([fsp.readFile('/app/seccomp.cjs').then(() => 'seccomp'), fsp.readFile('/app/harness.cjs').then(() => 'harness'), fsp.stat('/').then(() => 'stat')])`,
  hooks: `await (async () => { const seen = []; const h = async_hooks.createHook({ init: (id, type, trigger) => seen.push([id, type, trigger]), before: (id) => seen.push(id), destroy: (id) => seen.push(-id) }).enable(); setTimeout(() => seen.push(async_hooks.executionAsyncId()), 2); await new Promise((done) => crypto.pbkdf2('a', 'b', 3000, 8, 'sha1', () => setTimeout(done, 5))); h.disable(); return seen })()`,
  'messages in order': `await (async () => { const { port1, port2 } = new MessageChannel(), got = []; port1.postMessage('first'); got.push(worker_threads.receiveMessageOnPort(port2)?.message, worker_threads.receiveMessageOnPort(port2) ?? 'none'); port2.on('message', (m) => got.push(m)); const sent = { a: 1 }; port1.postMessage(sent); sent.a = 2; port1.postMessage(new Uint8Array([1, 2]).buffer, []); port1.close(); await new Promise((done) => port2.on('close', done)); return got })()`,
  'messages transferred': `await (async () => { const { port1, port2 } = new MessageChannel(), inner = new MessageChannel(); const got = new Promise((done) => port2.once('message', ({ port, bytes }) => { port.once('message', (m) => { done([m, bytes.byteLength]); port.close(); port1.close() }) })); const bytes = new ArrayBuffer(3); port1.postMessage({ port: inner.port1, bytes }, [inner.port1, bytes]); inner.port2.postMessage('x'); return [await got, bytes.byteLength] })()`,
  'messages wrong': `[await raised(() => new MessageChannel().port1.postMessage(() => {})), await raised(() => new MessageChannel().port1.postMessage())]`,
  messages: `await order({ m: (e) => { const [a, b] = pair(); a.on('message', () => { a.close(); e() }); b.postMessage(1) }, i: (e) => setImmediate(e), t: (e) => setTimeout(e, 1), f: (e) => fs.stat('/tmp', e) })`,
  'messages and pool': `await order({ m: (e) => { const [a, b] = pair(); a.on('message', (n) => { if (n > 20) { a.close(); e() } else a.postMessage(n) }); b.on('message', (n) => b.postMessage(n + 1)); b.postMessage(0) }, k: (e) => crypto.pbkdf2('a', 'b', 3000, 8, 'sha1', e), f: (e) => fs.readFile('/node', e) })`,
  broadcast: `await order({ m: (e) => { const a = new BroadcastChannel('x'), b = new BroadcastChannel('x'); a.onmessage = () => { a.close(); b.close(); e() }; b.postMessage(1) }, f: (e) => crypto.pbkdf2('a', 'b', 300, 8, 'sha1', e) })`,
  blobs: `await order({ b: () => new Blob(['x'.repeat(1e5)]).text(), f: (e) => fs.stat('/tmp', e), s: () => new Response('x').text() })`,
  streams: `await order({ a: (e) => fs.createReadStream('/node').resume().on('close', e), b: (e) => fs.createReadStream('/app/harness.cjs').resume().on('close', e), z: (e) => zlib.createGzip().on('end', e).resume().end(Buffer.alloc(1e5)) })`,
  'chunks of files': `await new Promise((done) => { const sizes = []; fs.createReadStream('/node').on('data', (b) => sizes.push(b.length)).on('end', () => done([sizes.length, sizes[0], sizes.at(-1)])) })`,
  'chunks of unix sockets': `await new Promise((done) => { const p = folder() + '/s', sizes = []; const s = net.createServer((c) => { c.on('data', (b) => sizes.push(b.length)).on('end', () => { s.close(); done([sizes.length]) }) }).listen(p, () => net.connect(p).end(Buffer.alloc(5e5))) })`,
  'http on a unix socket': `await new Promise((done) => { const p = folder() + '/s'; const s = http.createServer((q, r) => r.end('x')).listen(p, () => http.get({ socketPath: p, agent: false }, (r) => { r.resume().on('end', () => { s.close(); done([r.statusCode, r.rawHeaders]) }) })) })`,
  'the clock while sockets talk': `await (async () => {
    const path = folder() + '/s', start = performance.now(), server = http.createServer((request, response) => response.end('x'))
    await new Promise((done) => server.listen(path, done))
    const agent = new http.Agent({ keepAlive: true, timeout: 5 })
    for (let i = 0; i < 20; i++) await new Promise((done) => http.get({ socketPath: path, agent: i % 2 === 0 && agent, timeout: 3 }, (response) => response.resume().on('end', done)).on('error', done))
    server.close(); server.closeAllConnections(); agent.destroy()
    return [performance.now() - start]
  })()`,
  'timeouts of sockets': `await (async () => {
    const path = folder() + '/s', start = performance.now(), server = http.createServer((request, response) => setTimeout(() => response.end('late'), 250))
    await new Promise((done) => server.listen(path, done))
    const ask = (timeout) => new Promise((done) => { const request = http.get({ socketPath: path, agent: false, timeout }, (response) => response.resume().on('end', () => done(['answered', performance.now() - start]))); request.on('timeout', () => { done(['timed out', performance.now() - start]); request.destroy() }).on('error', () => {}) })
    const results = [await ask(100), await ask(400)]
    server.close()
    const slow = new net.Socket(), got = []
    slow.setTimeout(30, () => got.push(performance.now() - start)); got.push(slow.timeout)
    await new Promise((done) => setTimeout(done, 50))
    return [results, got, await raised(() => slow.setTimeout('x'))]
  })()`,
  'http date of a response': `(() => { const r = new http.ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 }); r.writeHead(200); return [r._header] })()`,
  'tls on a unix socket': `await raised(() => new Promise((done, fail) => { const p = folder() + '/s'; const s = tls.createServer({ key: keys.ec }).on('error', fail).listen(p, () => { s.close(); done('listens') }) }))`,

  // engine
  Math: `[Math.sin(1e10), Math.pow(2, 0.5), Math.exp(1), Math.tan(5), Math.cbrt(3), Math.sinh(1), Math.log1p(0.1), Math.atan2(1, 3), 0.1 ** 0.3, Math.hypot(1, 2, 3), Math.fround(0.1)]`,
  'NaN bits': `(() => { const f = new Float64Array([NaN, 0 / 0, -NaN, Infinity - Infinity, Math.sqrt(-1), Number('x')]); return hex(f) })()`,
  Intl: `[Intl.DateTimeFormat().resolvedOptions(), Intl.NumberFormat().resolvedOptions(), Intl.Collator().resolvedOptions(), Intl.supportedValuesOf('timeZone').length, (1234.5).toLocaleString(), new Date(0).toLocaleString(), ['b', 'a', 'ä'].sort(Intl.Collator().compare), 'ı'.toLocaleUpperCase(), Intl.getCanonicalLocales('EN-us'), new Intl.DisplayNames('en', { type: 'region' }).of('DE')]`,
  'time zone by variable': `(() => { const old = process.env.TZ; process.env.TZ = 'America/New_York'; const text = new Date(0).toString(); process.env.TZ = old; return [text, new Date(0).toString()] })()`,
  wasm: `(() => { const m = new WebAssembly.Module(Buffer.from('0061736d01000000', 'hex')); return WebAssembly.Module.exports(m) })()`,
  'wasm compile order': `await order({ compile: () => WebAssembly.compile(Buffer.from('0061736d01000000', 'hex')), instantiate: () => WebAssembly.instantiate(Buffer.from('0061736d01000000', 'hex')), immediate: (end) => setImmediate(end), timer: (end) => setTimeout(end, 1), stat: (end) => fs.stat('/', end), hash: (end) => crypto.pbkdf2('a', 'b', 2000, 8, 'sha1', end) })`,
  'resources fetched': `[await fetch('http://192.0.2.1/').catch((error) => error.message), performance.getEntriesByType('resource'), performance.getEntries().filter(({ name }) => /192/.test(name))]`,
  'locks held': `await navigator.locks.request('x', () => navigator.locks.query())`,
  'compile cache on': `[module_.enableCompileCache(), module_.getCompileCacheDir(), module_.flushCompileCache()]`,
  'promise hooks': `await (async () => { const seen = []; const stop = v8.promiseHooks.onInit((promise, parent) => seen.push(parent !== undefined)); await Promise.resolve(); await promisify(fs.stat)('/'); stop(); return seen })()`,
  'async local storage': `await new async_hooks.AsyncLocalStorage().run(1, async () => (await promisify(setImmediate)(), 'ran'))`,
  'unsettled immediates': `await order({ blob: () => new Blob(['x'.repeat(3e5)]).text(), response: () => new Response(new Blob(['x'.repeat(2e5)])).bytes(), timer: (end) => setTimeout(end, 1), immediates: (end) => { let n = 20; const next = () => (n-- ? setImmediate(next) : end()); next() } })`,
  'modules loaded': `process.moduleLoadList`,
  'all of process': `Object.keys(process).filter((key) => key !== 'stdin').map((key) => [key, inspect(process[key], { depth: 4, showHidden: true, maxArrayLength: null })])`,
  'all modules': `module_.builtinModules.filter((id) => !/^(_|wasi|sys|punycode|inspector|test|sqlite|process)/.test(id)).map((id) => [id, inspect(require('node:' + id.replace(/^node:/, '')), { depth: 2, showHidden: true })])`,
  'file as a blob': `await (await fs.openAsBlob(file('abc'))).text()`,
  'nested spawns of promises': `await (async () => { const log = []; await Promise.all([1, 2, 3].map(async (n) => { for (let i = 0; i < 5; i++) { await promisify(crypto.pbkdf2)('a', 'b', n * 300, 8, 'sha1'); log.push(n); await fsp.stat('/'); log.push(-n) } })); return log })()`,
  'hidden properties of errors': `await fsp.readFile('/none').catch((error) => inspect(error, { showHidden: true }))`,
  'lock of a web stream': `(new ReadableStream().getReader().releaseLock(), 'released')`,
  powers: `[11.904 ** 1.927, Math.pow(6.936, 1.884)]`,
  'wasm relaxed simd': `new WebAssembly.Instance(new WebAssembly.Module(Buffer.from('0061736d010000000108016003' + '7d7d7d017d' + '03020100' + '0705010166' + '0000' + '0a16011400' + '2000fd13' + '2001fd13' + '2002fd13' + 'fd8502' + 'fd1f00' + '0b', 'hex'))).exports.f(1 + 2 ** -12, 1 + 2 ** -12, -1)`,
  zlib: `[hex(zlib.gzipSync('x'.repeat(5000))), hex(zlib.deflateSync(Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i) & 255)), { level: 9 })).length, hex(zlib.brotliCompressSync('x'.repeat(500))), zlib.zstdCompressSync ? hex(zlib.zstdCompressSync('x'.repeat(500))) : 'none', zlib.crc32('x')]`,
  structuredClone: `[structuredClone({ a: new Date(0), b: [1n] }), await raised(() => structuredClone(() => {}))]`,
  'sort and keys': `[Object.keys({ b: 1, 2: 1, a: 1, 1: 1 }), [3, 1, 2].sort(), [...new Set([3, 1])]]`,
  'hash order': `[...new URLSearchParams('b=1&a=2')].join() + [...new Headers([['b', '1'], ['a', '2']])].join()`,
  'memory exhaustion': `await raised(() => new ArrayBuffer(2 ** 53 - 1))`,
  regexp: `/(a+)+b/.exec('aaaaaaaaaaaaaaaa')`,
  globals: `[typeof gc, typeof Temporal, typeof EventSource, typeof localStorage === 'undefined', typeof navigator, typeof CompressionStream, typeof WebSocket, typeof Iterator, typeof ShadowRealm]`,
  CompressionStream: `hex(await new Response(new Blob(['x'.repeat(3000)]).stream().pipeThrough(new CompressionStream('gzip'))).bytes())`,
  'web streams': `await order({ a: () => new Response(new Blob(['x'.repeat(3e5)]).stream()).text(), b: () => new Response(fs.createReadStream('/app/harness.cjs')).text(), c: () => stream.promises.finished(stream.Readable.from(['x']).resume()) })`,
  localStorage: `await raised(() => typeof localStorage)`,
  finalization: `(() => { let n = 0; const r = new FinalizationRegistry(() => n++); for (let i = 0; i < 1000; i++) r.register({}, i); return n })()`,
}

export const REFUSED: Record<string, string> = {
  statfs: `fs.statfsSync('/tmp')`,
  monitorEventLoopDelay: `perf_hooks.monitorEventLoopDelay()`,
  rsa: `crypto.generateKeyPairSync('rsa', { modulusLength: 1024 })`,
  ec: `crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })`,
  'ec async': `await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' })`,
  ed448: `crypto.generateKeyPairSync('ed448')`,
  prime: `crypto.generatePrimeSync(32)`,
  ecdh: `crypto.createECDH('prime256v1').generateKeys()`,
  dh: `crypto.createDiffieHellman(64)`,
  'dh group': `crypto.getDiffieHellman('modp5').generateKeys()`,
  tracing: `require('node:trace_events').createTracing({ categories: ['node'] })`,
  'dh of a prime': `crypto.createDiffieHellman(Buffer.from([23]), 2).generateKeys()`,
  'diffie-hellman of crypto': `crypto.createDiffieHellmanGroup('modp5').generateKeys()`,
  ecdsa: `crypto.sign('sha256', Buffer.from('x'), pem('ec'))`,
  'ecdsa by pem': `crypto.sign('sha256', Buffer.from('x'), keys.ec)`,
  'ecdsa by object': `crypto.createSign('sha256').update('x').sign({ key: keys.ec })`,
  'ecdsa by alias': `new crypto.Sign('sha256').update('x').sign(keys.ec)`,
  'ecdsa by jwk': `crypto.createSign('sha256').update('x').sign({ key: pem('ec').export({ format: 'jwk' }), format: 'jwk' })`,
  'ecdsa by subtle': `await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, await crypto.subtle.importKey('pkcs8', pem('ec').export({ type: 'pkcs8', format: 'der' }), ECDSA, false, ['sign']), new Uint8Array(1))`,
  pss: `crypto.sign('sha256', Buffer.from('x'), { key: keys.rsa, padding: crypto.constants.RSA_PKCS1_PSS_PADDING })`,
  'subtle rsa': `await crypto.subtle.generateKey({ name: 'RSA-OAEP', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['encrypt', 'decrypt'])`,
  publicEncrypt: `crypto.publicEncrypt(keys.rsaPublic, Buffer.from('x'))`,
  'encrypted export pem': `pem('ec').export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })`,
  'encrypted export der': `pem('rsa').export({ type: 'pkcs8', format: 'der', cipher: 'aes-128-cbc', passphrase: 'x' })`,
  'encrypted export pkcs1': `pem('rsa').export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })`,
  'encrypted pair': `crypto.generateKeyPairSync('ed25519', { privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })`,
  encapsulate: `crypto.encapsulate(crypto.createPublicKey(keys.rsa))`,
  'ticket keys': `tls.createServer().getTicketKeys()`,
  'ticket keys of https': `https.createServer().getTicketKeys()`,
  createCachedData: `new vm.Script('1').createCachedData()`,
  'cached data at compile': `vm.compileFunction('1', [], { produceCachedData: true })`,
  'script produceCachedData': `new vm.Script('1', { produceCachedData: true })`,
  vm: `vm.runInNewContext('1')`,
  'vm script': `new vm.Script('1').runInNewContext()`,
  'module hooks in a thread': `require('module').register('data:text/javascript,')`,
  worker: `new worker_threads.Worker('', { eval: true })`,
  child: `require('child_process').spawnSync('x')`,
  waitAsync: `Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)`,
  report: `process.report.getReport()`,
  'heap snapshot': `v8.getHeapSnapshot()`,
  'heap snapshot file': `v8.writeHeapSnapshot('/tmp/x')`,
  'heap snapshot near limit': `v8.setHeapSnapshotNearHeapLimit(1)`,
  'heap profile': `(v8.startCpuProfile ?? v8.queryObjects)(Object)`,
  'gc profiler': `new v8.GCProfiler()`,
  watchFile: `fs.watchFile('/tmp', () => {})`,
  'fs.watch': `fs.watch('/tmp')`,
  'fs.promises.watch': `fsp.watch('/tmp')`,
  'http2 server': `http2.createServer()`,
  'TLS session': `new tls.TLSSocket(new net.Socket()).getSession()`,
  'object url': `URL.createObjectURL(new Blob(['x']))`,
  measureMemory: `vm.measureMemory()`,
  'process.binding': `process.binding('util')`,
  disposable: `fs.mkdtempDisposableSync('/tmp/x')`,
}

/** Rows that a load may do, too: one that leaves files, servers or open descriptors is not shared by executions. */
export const AT_LOAD = Object.keys(SAME).filter(
  (row) => !/folder\(|file\(|\/tmp|createServer|process\.stdin/.test(SAME[row]!),
)

/** What each row gave, as JSON, or its error's code and message. */
export type Answers = Record<string, { value?: string; error?: string }>

/**
 * A function that answers with what each row gives: `{atLoad: Answers, inHandler: Answers}`. Rows run one after the other, so that one which draws randomness moves
 * those behind it on by as much everywhere.
 *
 * @param keys PKCS #8 by type: ec, rsa, ed25519, and rsaPublic
 */
export function bundleOfLeaks(keys: Record<string, string>): string {
  const rows = Object.entries({ ...SAME, ...REFUSED })
  return `
    ${MODULES.map((name) => `const ${name === 'module' ? 'module_' : name} = require('node:${name}')`).join('\n')}
    const keys = ${JSON.stringify(keys)}
    ${HELPERS}
    const rows = { ${rows.map(([name, expression]) => `${JSON.stringify(name)}: async () => ${expression}`).join(',\n')} }
    const plain = (_key, value) => (typeof value === 'bigint' ? String(value) : typeof value === 'function' ? 'function' : value)
    const answer = (row) => row().then(
      (value) => ({ value: JSON.stringify(value, plain) ?? 'undefined' }),
      (error) => ({ error: error.code + ' ' + error.message }))
    const answerAll = async (names) => {
      const answers = {}
      for (const name of names) answers[name] = await answer(rows[name])
      return answers
    }
    module.exports = (async () => {
      process.env.UV_THREADPOOL_SIZE = '8' // in vain: answers would come in any order
      const atLoad = await answerAll(${JSON.stringify(AT_LOAD)})
      for (let i = 0; i < 100; i++) await promisify(fs.stat)('/') // what the rows have left under way
      const handler = async () => ({ atLoad, inHandler: await answerAll(Object.keys(rows)) })
      return { handler }
    })()`
}
