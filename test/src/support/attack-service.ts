import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Bundles that try to carry state from one execution to the next; each answers with what it has `seen`. */
const FIXTURES = join(import.meta.dirname, '../../../sandbox/src/abuse/fixtures/state')

/** What must come of an attack besides seeing nothing; of those that are in no list: it is answered, and its jail stays. */
export const expected = JSON.parse(readFileSync(`${FIXTURES}.json`, 'utf8')) as Record<
  'refusedAtLoaded' | 'endsItsJail' | 'neverAnswered' | 'seldomAnswered',
  string[]
>

/** What an attack answers. */
export interface AttackAnswer {
  /** What an earlier execution left and this one found. */
  seen?: unknown
  /** What later executions are told to look for. */
  drawn?: unknown
  /** Where this process was forked: `loaded` shares one load, `blank` loads for itself. */
  forkPoint: 'loaded' | 'blank'
  /** Of the load: the same for all executions of one jail at `loaded`. */
  load: string
}

/** What the attack may replace later. The zygote has no parent in its jail; its children have. */
const BEFORE = `const $parse = JSON.parse, $timeout = setTimeout, $forkPoint = process.ppid === 0 ? 'loaded' : 'blank', $load = String(process.hrtime.bigint());`

/** Turns an attack on a raw event into one on an HTTP request, which may ask to be answered later. */
const AFTER = `
const $overHttp = (attack) => async (event) => {
  const request = event.body ? $parse(event.body) : {}
  const found = await attack(request)
  if (request.pauseMs) await new Promise((done) => $timeout(done, request.pauseMs))
  return { ...found, forkPoint: $forkPoint, load: $load }
}
`
const WRAP = 'exports.handler = $overHttp(exports.handler)'
/** Some act when their handler is read for the first time: nothing may read it before the runtime does. */
const WRAP_GETTER = `
{
  const { get } = Object.getOwnPropertyDescriptor(exports, 'handler')
  const handle = $overHttp(handler)
  Object.defineProperty(exports, 'handler', { get: () => (get(), handle) })
}`

/** Attacks of ES modules in TypeScript, with what webpack makes of them. */
const MODULES: Record<string, string> = {
  'src/store.mts': `export const store: { count: number; names: string[] } = { count: 0, names: [] }
export let live = 0
export const advance = () => ++live`,
  'src/lazy.mts': `export const kept: string[] = []`,
  'src/modules.mts': `
// Rule 6 and the fork itself: state of ES modules, of webpack's own tables, of a lazily imported module.
import { setTimeout as sleep } from 'node:timers/promises'
import { advance, live, store } from './store.mts'

declare const __webpack_require__: any, __webpack_modules__: any
const forkPoint = process.ppid === 0 ? 'loaded' : 'blank'
const load = String(process.hrtime.bigint())
const early = await import('./lazy.mts')
await sleep(1)
const tables = () => { try { return [__webpack_modules__, __webpack_require__] } catch { return [] } }
export const handler = async (event: { body?: string }) => {
  const { name, pauseMs = 0 } = event.body ? JSON.parse(event.body) : { name: 'proof' }
  const seen: unknown[] = [store.count++, ...store.names, live, ...early.kept, ...(await import('./lazy.mts')).kept].filter(Boolean)
  for (const table of tables()) { if (table.kept) seen.push(table.kept); table.kept = name }
  store.names.push(name); advance(); early.kept.push(name)
  await sleep(pauseMs)
  return { seen, forkPoint, load }
}`,
}

/** Attacks that do the same each time are tried under the virtual clock and seeded randomness, too. */
const DETERMINISTIC = ['globals', 'shared-memory', 'inherited-pipes', 'module-loaders']

const fixture = (name: string) => readFileSync(join(FIXTURES, `${name}.cjs`), 'utf8')
function source(name: string): string {
  const text = fixture(name)
  return `${BEFORE}\n${text}\n${AFTER}${/defineProperty\(exports/.test(text) ? WRAP_GETTER : WRAP}\n`
}

/** An attack as it is deployed. */
export interface DeployedAttack {
  /** Of the function and its route. */
  name: string
  /** Of the attack itself. */
  attack: string
  deterministic: boolean
}

export const attacks: DeployedAttack[] = [
  ...[...readdirSync(FIXTURES).map((file) => file.replace('.cjs', '')), 'modules'].map((attack) => {
    return { name: attack, attack, deterministic: false }
  }),
  ...[...DETERMINISTIC, 'modules'].map((attack) => ({ name: `deterministic-${attack}`, attack, deterministic: true })),
]

const definition = ({ name, attack, deterministic }: DeployedAttack) => `
  ${name}:
    handler: src/${attack}.handler
    memorySize: 128
    timeout: 15
    verification: ${deterministic ? 'deterministic' : 'none'}
    events: [httpApi: 'POST /${name}']`

/** A project of hostile functions, and of an honest one beside them. */
export const createAttackService = (): Record<string, string> => ({
  'package.json': JSON.stringify({ name: 'attacks', private: true }),
  'serverless.yml': `
service: attacks
frameworkVersion: '3'
provider: peerhost
plugins: [serverless-peerhost]
functions:
  honest:
    handler: src/honest.handler
    memorySize: 128
    verification: none
    events: [httpApi: 'GET /honest/{text}']${attacks.map(definition).join('')}
`,
  'src/honest.js': `let count = 0
exports.handler = async ({ pathParameters }) => ({ text: pathParameters.text, count: ++count })`,
  ...MODULES,
  ...Object.fromEntries(
    attacks.filter(({ attack }) => attack !== 'modules').map(({ attack }) => [`src/${attack}.cjs`, source(attack)]),
  ),
})
