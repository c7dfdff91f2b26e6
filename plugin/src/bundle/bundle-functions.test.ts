import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type BundleOptions, type BundleSource, bundleFunctions } from './bundle-functions.ts'

const base = realpathSync(mkdtempSync(path.join(tmpdir(), 'peerhost-bundle-')))
after(() => rmSync(base, { recursive: true, force: true }))

let folders = 0
/** A service folder with these files; `depth` puts it deeper, so that its paths differ. */
function service(files: Record<string, string>, depth = 0): string {
  const dir = path.join(base, `s${folders++}`, ...Array.from({ length: depth }, (_, i) => `deeper${i}`))
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(dir, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return dir
}

const one = async (dir: string, handler: string, options?: BundleOptions) => {
  const [bundle] = await bundleFunctions(dir, [{ name: 'f', handler }], options)
  return bundle!
}

/** Something a bundle exports. */
type Exported = ((...given: unknown[]) => unknown) & { [name: string]: Exported }
type Thrown = { code: string; message: string }

/** Loads a bundle as the harness does: CommonJS, its exports perhaps a promise. */
async function load(bytes: Uint8Array): Promise<Exported> {
  const module = { exports: {} as Exported | Promise<Exported> }
  const run = new Function('module', 'exports', 'require', '__filename', '__dirname', Buffer.from(bytes).toString())
  run(module, module.exports, createRequire(import.meta.url), '/var/task/handler.js', '/var/task')
  return await module.exports
}

const SHOP = {
  'package.json': '{"name":"shop"}',
  'src/quote.ts': `import { Hono } from 'hono'
import { double } from 'calc'
import { rate } from './rate.js'
enum Unit { Dollar = 1 }
export class PriceError extends Error {}
export const handler = async (event: { n: number }) => ({ price: double(event.n) * rate * Unit.Dollar, url: import.meta.url, app: typeof new Hono().fetch })`,
  'src/rate.ts': 'export const rate: number = 3',
  'src/other.js': "const { double } = require('calc'); exports.handler = async () => double(4)",
}
const CALC = {
  'package.json': '{"name":"calc","main":"index.js"}',
  'index.js': "exports.double = (n) => require('./lib/two') * n",
  'lib/two.js': 'module.exports = 2',
}
const hono = fileURLToPath(new URL('../../../node_modules/hono', import.meta.url))

function withPackages(dir: string, place = dir): string {
  cpSync(hono, path.join(place, 'node_modules/hono'), {
    recursive: true,
    filter: (file) => !/[\\/](types|cjs)([\\/]|$)/.test(file),
  })
  for (const [name, text] of Object.entries(CALC)) {
    const file = path.join(place, 'node_modules/calc', name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return dir
}

test('a bundle has the same bytes in two folders, with hoisted packages, beside neighbours, in one process or two', async () => {
  const functions: BundleSource[] = [
    { name: 'quote', handler: 'src/quote.handler' },
    { name: 'other', handler: 'src/other.handler' },
  ]
  const first = await bundleFunctions(withPackages(service(SHOP)), functions, { processes: 1 })
  const deep = await bundleFunctions(withPackages(service(SHOP, 3)), functions, { processes: 2 })
  assert.deepEqual(
    deep.map((b) => b.codeDigest),
    first.map((b) => b.codeDigest),
  )

  const inside = service(SHOP, 2)
  const hoisted = await bundleFunctions(withPackages(inside, path.dirname(inside)), functions)
  assert.deepEqual(
    hoisted.map((b) => b.codeDigest),
    first.map((b) => b.codeDigest),
  )

  const more = withPackages(
    service({
      ...SHOP,
      'src/new.ts':
        "import { rate } from './rate'\nexport const handler = () => import('calc').then((m) => m.double(rate))",
    }),
  )
  const grown = await bundleFunctions(more, [{ name: 'added', handler: 'src/new.handler' }, ...functions])
  assert.deepEqual(
    grown.slice(1).map((b) => b.codeDigest),
    first.map((b) => b.codeDigest),
  )

  const quote = await load(first[0]!.bytes)
  assert.deepEqual(await quote.handler!({ n: 5 }), { price: 30, url: 'file:///var/task/handler.js', app: 'function' })
  assert.equal(quote.PriceError!.name, 'PriceError')
  assert.equal(await (await load(grown[0]!.bytes)).handler!(), 6)
})

test('functions of one file share one bundle', async () => {
  const dir = service({ 'api.js': 'exports.list = () => 1; exports.get = () => 2' })
  const [a, b] = await bundleFunctions(dir, [
    { name: 'list', handler: 'api.list' },
    { name: 'get', handler: './api.get' },
  ])
  assert.equal(a!.codeDigest, b!.codeDigest)
})

test('ESM, CommonJS and TypeScript handlers of every ending load, also with top-level await and nested exports', async () => {
  const dir = service({
    'a.mjs': 'export const handler = async () => "mjs"',
    'b.cjs': 'module.exports = { handler: async () => "cjs" }',
    'c.mts': 'export const handler = async (): Promise<string> => "mts"',
    'd.cts': 'export = { handler: async (): Promise<string> => "cts" }',
    'e.ts': 'const word: string = await Promise.resolve("await")\nexport const handler = async () => word',
    'f/index.js': 'exports.api = { v1: { get: async () => "nested" } }',
    'g.js': 'exports.handler = async () => __dirname + " " + __filename',
    'h.ts':
      'function mark(t: any, k: string) { t.marked = k }\nclass A { @mark run() {} }\nexport const handler = async () => (A.prototype as any).marked',
    'esm/package.json': '{"type":"module"}',
    'esm/i.js': 'import { x } from "./x.js"\nexport const handler = async () => x\nexport default handler',
    'esm/x.js': 'export const x = "esm"',
  })
  const call = async (handler: string) => {
    let value: Exported | undefined = await load((await one(dir, handler)).bytes)
    const names = handler.slice(handler.lastIndexOf('/') + 1).split('.')
    for (const name of names.slice(1)) value = value?.[name]
    return value?.()
  }
  assert.equal(await call('a.handler'), 'mjs')
  assert.equal(await call('b.handler'), 'cjs')
  assert.equal(await call('c.handler'), 'mts')
  assert.equal(await call('d.handler'), 'cts')
  assert.equal(await call('e.handler'), 'await')
  assert.equal(await call('f.api.v1.get'), 'nested')
  assert.equal(await call('g.handler'), '/var/task /var/task/handler.js')
  assert.equal(await call('h.handler'), 'run')
  assert.equal(await call('esm/i.handler'), 'esm')
  assert.equal(await call('esm/i.default'), 'esm')
})

test('path mappings of tsconfig.json are followed', async () => {
  const dir = service({
    'tsconfig.json':
      '{\n  // where ours is\n  "compilerOptions": { "baseUrl": ".", "paths": { "@lib/*": ["lib/*"] } },\n}',
    'lib/word.ts': 'export const word = "mapped"',
    'src/a.ts': 'import { word } from "@lib/word"\nexport const handler = async () => word',
  })
  assert.equal(await (await load((await one(dir, 'src/a.handler')).bytes)).handler!(), 'mapped')
})

test('a handler that is not there is refused: no file, no such export, a malformed name', async () => {
  const dir = service({ 'a.ts': 'export const handler = 1', 'b.js': 'module.exports = require("./a")' })
  for (const handler of ['nothing.handler', 'a.other', 'a', 'a.', '../a.handler', 'a..handler', '/etc/passwd.x']) {
    await assert.rejects(one(dir, handler), { code: 'PH_CONFIG_HANDLER_NOT_FOUND' }, handler)
  }
  // `default` is what a CommonJS module exports as a whole
  await assert.rejects(one(dir, 'a.default'), { code: 'PH_CONFIG_HANDLER_NOT_FOUND' })
  await one(service({ 'c.js': 'exports.one = 1' }), 'c.default')
  // whether CommonJS of this form exports it cannot be known without running it
  await one(dir, 'b.handler')
})

test('an error in a source names file and line', async () => {
  const dir = service({
    'src/a.ts': 'export const a = 1\n\nexport const handler = async ( => a',
    'src/b.js': 'exports.handler = 1\nconst = 2',
    'src/c.js': 'exports.handler = 1\n\nrequire("left-out")',
    'src/d.js': 'exports.handler = 1\nrequire("@aws-sdk/client-missing")',
  })
  const detail = (text: RegExp) => (error: Thrown) =>
    error.code === 'PH_BUNDLE_FAILED' && text.test(error.message) && !error.message.includes(base)
  await assert.rejects(one(dir, 'src/a.handler'), detail(/src\/a\.ts:3:\d+: /))
  await assert.rejects(one(dir, 'src/b.handler'), detail(/src\/b\.js:2:\d+: /))
  await assert.rejects(one(dir, 'src/c.handler'), detail(/src\/c\.js:3:\d+: cannot find "left-out"/))
  await assert.rejects(
    one(dir, 'src/d.handler'),
    detail(/src\/d\.js:2:\d+: cannot find "@aws-sdk\/client-missing" \(Lambda supplies it/),
  )
})

test('native code is refused, unless a try around it has a fallback', async () => {
  const dir = service({
    'node_modules/fast/index.js': 'module.exports = require("node-gyp-build")(__dirname)',
    'node_modules/node-gyp-build/index.js': 'module.exports = (dir) => { throw new Error("no build in " + dir) }',
    'node_modules/plain/index.js': 'module.exports = require("./build/Release/addon.node")',
    'node_modules/plain/build/Release/addon.node': '\u007fELF',
    'node_modules/gentle/index.js':
      'try { module.exports = require("./native") } catch { module.exports = "fallback" }',
    'node_modules/gentle/native.js': 'module.exports = require("node-gyp-build")(__dirname)',
    'a.js': 'require("fast"); exports.handler = 1',
    'b.js': 'require("plain"); exports.handler = 1',
    'c.js': 'exports.word = require("gentle")',
  })
  const needs = (name: string) => (error: Thrown) =>
    error.code === 'PH_BUNDLE_NATIVE_MODULE' && error.message.includes(name)
  await assert.rejects(one(dir, 'a.handler'), needs('fast'))
  await assert.rejects(one(dir, 'b.handler'), needs('plain'))
  assert.equal((await load((await one(dir, 'c.word')).bytes)).word, 'fallback')
})

test('a module that is missing inside try is left to the run', async () => {
  const dir = service({ 'a.js': 'let x; try { x = require("optional") } catch { x = "without" }\nexports.word = x' })
  assert.equal((await load((await one(dir, 'a.word')).bytes)).word, 'without')
})

test('a bundle over the limit is refused', async () => {
  const dir = service({ 'a.js': `exports.handler = ${JSON.stringify('x'.repeat(5000))}` })
  await assert.rejects(one(dir, 'a.handler', { maxSize: 4000 }), { code: 'PH_BUNDLE_TOO_LARGE' })
})
