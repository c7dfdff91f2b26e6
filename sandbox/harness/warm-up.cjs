'use strict'
// Runs once in every blank jail, before there is a bundle. What Node and V8 set up lazily (modules, compiled code,
// inline caches) is then shared by all children instead of being paid for in each execution. No user code runs here, so
// nothing can be smuggled.
//
// Never call crypto.randomUUID() or crypto.randomInt() here: both keep a buffer of random bytes in JavaScript.
const { AsyncLocalStorage } = require('node:async_hooks')
const { EventEmitter, once } = require('node:events')
const { promisify, inspect, format } = require('node:util')
const { PassThrough, Readable, Transform } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const { setTimeout: pause } = require('node:timers/promises')
const crypto = require('node:crypto')
const dns = require('node:dns')
const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const zlib = require('node:zlib')

const settled = (start) => new Promise((resolve) => start(() => resolve()))
const quiet = (request, resolve) => request.on('error', resolve).on('response', resolve).end('{}')

// The policy refuses inet sockets, so every request fails before a packet could leave.
const network = [
  () => fetch('http://127.0.0.1:1/', { method: 'POST', body: '{}', headers: { accept: '*/*' } }).catch(() => {}),
  () => settled((done) => quiet(http.request('http://127.0.0.1:1/', { method: 'POST' }), done)),
  () => settled((done) => quiet(https.request('https://127.0.0.1:1/', { method: 'POST' }), done)),
  () => settled((done) => net.connect(1, '127.0.0.1').on('error', done).on('connect', done)),
  () => settled((done) => dns.lookup('localhost', done)),
]

const web = [
  () => new Response(JSON.stringify({ a: 1 }), { headers: new Headers({ 'content-type': 'text/plain' }) }).json(),
  () => new Response(new Uint8Array([1, 2])).arrayBuffer(),
  () => new Request('http://localhost/a?b=c', { method: 'POST', body: 'x' }).text(),
  () => new Blob(['x']).text(),
  () => new FormData().append('a', 'b'),
  async () => {
    for await (const _ of new Response('x').body);
  },
  () => [...new URL('http://localhost/a?b=c').searchParams, new URLSearchParams('a=b').toString()],
  () => [new TextDecoder().decode(new TextEncoder().encode('é')), structuredClone({ a: new Map() }), atob(btoa('x'))],
  () => {
    const controller = new AbortController()
    controller.signal.addEventListener('abort', () => {})
    controller.abort()
    AbortSignal.timeout(1)
  },
]

const platform = [
  () => [new Intl.NumberFormat('en').format(1234.5), new Intl.DateTimeFormat('en').format(0), (1).toLocaleString()],
  () => [new Date(0).toISOString(), new Date(0).toLocaleDateString('en'), Date.parse('2025-01-01')],
  () => [Buffer.from('eA==', 'base64').toString('hex'), Buffer.concat([Buffer.from('a'), Buffer.from('é')]).toString()],
  () => [
    inspect({ a: [new Date(0), new Error('x')], b: new Map([[1, new Set([2])]]) }),
    format('%s %d %j', 'a', 1, {}),
  ],
  () => JSON.parse(JSON.stringify({ a: [1, 'b', null], c: { d: true } })),
  () => 'a-b,c'.replace(/(\w)-(\w)/g, '$2$1').split(/,\s*/u),
  () => new Error('x').stack,
  () => process.stdout.write('') && process.stderr.write(''),
  () => new console.Console(new PassThrough().resume(), new PassThrough().resume()).error('%s', 'x', { a: 1 }),
  () => fs.promises.readFile(__filename, 'utf8'),
  () => fs.promises.stat(__filename),
  () => [fs.readFileSync(__filename), fs.existsSync('/nothing'), fs.readdirSync('/app')],
  () => pause(1),
  () => new Promise((done) => setTimeout(done, 1)),
  () => new Promise((done) => setImmediate(() => process.nextTick(done))),
  () => new Promise((done) => queueMicrotask(done)),
  () => new AsyncLocalStorage().run({}, async () => {}),
  () => {
    const emitter = new EventEmitter()
    queueMicrotask(() => emitter.emit('x'))
    return once(emitter, 'x')
  },
  () =>
    pipeline(
      Readable.from(['x']),
      new Transform({ transform: (chunk, _, done) => done(null, chunk) }),
      async (source) => {
        for await (const _ of source);
      },
    ),
  () => Array.fromAsync(Readable.from(['x'])),
]

const packed = [
  () => crypto.createHmac('sha256', 'k').update('x').digest('hex') + crypto.createHash('sha256').update('x').digest(),
  () => crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')),
  () => crypto.subtle.digest('SHA-256', new Uint8Array(1)),
  async () => {
    const key = await crypto.subtle.importKey('raw', new Uint8Array(32), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
    ])
    await crypto.subtle.sign('HMAC', key, new Uint8Array(1))
  },
  () => {
    const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12))
    return Buffer.concat([cipher.update('x'), cipher.final(), cipher.getAuthTag()])
  },
  () => promisify(crypto.randomBytes)(8),
  () => promisify(zlib.gzip)('x').then((bytes) => promisify(zlib.gunzip)(bytes)),
  () => [zlib.gunzipSync(zlib.gzipSync('x')), zlib.brotliDecompressSync(zlib.brotliCompressSync('x'))],
]

const exercises = [...network, ...web, ...platform, ...packed]

/** Exercises the platform a few times; what fails here fails for a handler too and is none of our business. */
async function warmUpPlatform(rounds = 3) {
  for (let round = 0; round < rounds; round++) {
    for (const exercise of exercises) {
      try {
        await exercise()
      } catch {}
    }
  }
}

module.exports = { warmUpPlatform }
