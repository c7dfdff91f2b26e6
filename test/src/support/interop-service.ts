/** A function with a hostile name or hostile exports, and what it must answer: a status, and `{"ok":true}` where that is 200. */
export interface InteropCase {
  name: string
  handler: string
  status: number
}

const OK = `async () => ({ ok: true })`
/** Bytes; a bundle may have 10 MB. */
const LARGE = 9_000_000

const SOURCES: Record<string, { source: string; handler?: string; status?: number }> = {
  'live.mjs': { source: `export let handler = async () => ({ ok: false })\nhandler = ${OK}` },
  'again.mjs': { source: `export * from './live.mjs'\nexport { handler as default } from './live.mjs'` },
  'awaits.mjs': { source: `const { handler: inner } = await import('./live.mjs')\nexport const handler = inner` },
  'thenable.mjs': { source: `export const handler = ${OK}\nexport function then(done) { done({ handler }) }` },
  'never.mjs': { source: `export const handler = ${OK}\nexport function then() {}`, status: 500 },
  'default.cjs': {
    source: `module.exports = async () => ({ status: 200, body: { ok: true } })`,
    handler: 'default.default',
  },
  'default-twice.cjs': {
    source: `exports.__esModule = true\nexports.default = { default: { handler: ${OK} } }\nexports.handler = ${OK}`,
  },
  'mark.cjs': {
    source: `Object.defineProperty(exports, '__esModule', { get() { throw new Error('read') } })\nexports.handler = ${OK}`,
  },
  'getter.cjs': {
    source: `let reads = 0\nObject.defineProperty(exports, 'handler', { enumerable: true, get() { reads++; return async () => ({ ok: reads === 1 }) } })`,
  },
  'throws.cjs': {
    source: `Object.defineProperty(exports, 'handler', { enumerable: true, get() { throw new Error('read') } })`,
    status: 500,
  },
  'proxy.cjs': {
    source: `module.exports = new Proxy({}, { get: (_, name) => (name === 'then' ? undefined : ${OK}), has: () => true })`,
  },
  'proxy-of-itself.cjs': { source: `module.exports = new Proxy(() => {}, { get: () => module.exports })`, status: 500 },
  'cycle.cjs': { source: `exports.handler = ${OK}\nrequire('./cycle-back.cjs').call()` },
  // Loaded first, it meets the other module before that has exported anything.
  'cycle-back.cjs': {
    source: `const cycle = require('./cycle.cjs')\nexports.call = () => { cycle.handler = ${OK} }\nexports.handler = ${OK}`,
    status: 500,
  },
  'runtime.cjs': {
    source: `try { __webpack_require__.d = __webpack_require__.r = () => { throw new Error('webpack') } } catch {}\nexports.handler = ${OK}`,
  },
  'outer.cjs': {
    source: `try { eval('module').exports = {}; eval('exports').handler = async () => ({ ok: false }) } catch {}\nexports.handler = ${OK}`,
  },
  "we ird$&'`${x}.js": { source: `exports.handler = ${OK} // }) /* \u2028 <!-- #!` },
  'large.js': {
    source: `const text = '${'x'.repeat(LARGE)}'\nexports.handler = async () => ({ ok: text.length === ${LARGE} })`,
  },
}

/** What every object has by this name, a naive look-up finds. */
const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'length', 'null', '0']

const stem = (file: string) => file.replace(/\.[^.]+$/, '')

export const interopCases: InteropCase[] = [
  ...Object.entries(SOURCES).map(([file, { handler, status = 200 }]) => {
    return { name: stem(file).replaceAll(/[^\w-]/g, '_'), handler: `src/${handler ?? `${stem(file)}.handler`}`, status }
  }),
  ...NAMES.map((name) => ({ name, handler: 'src/live.handler', status: 200 })),
]

export const createInteropService = (): Record<string, string> => ({
  'package.json': JSON.stringify({ name: 'interop', private: true }),
  'serverless.yml': `
service: interop
frameworkVersion: '3'
provider: { name: peerhost, memorySize: 128 }
plugins: [serverless-peerhost]
functions:${interopCases
    .map(
      ({ name, handler }) => `\n  ${JSON.stringify(name)}: { handler: ${JSON.stringify(handler)}, verification: none }`,
    )
    .join('')}
`,
  ...Object.fromEntries(Object.entries(SOURCES).map(([file, { source }]) => [`src/${file}`, source])),
})
