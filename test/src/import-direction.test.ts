import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { type Import, importsOf, readImports } from './support/read-imports.ts'

const ROOT = resolve(import.meta.dirname, '../..')

const MIDDLE = ['protocol', 'chain', 'storage', 'client']
const ALL = [...MIDDLE, 'sandbox', 'contracts', 'plugin', 'gateway', 'worker', 'cli']

/** The arrows of the architecture: what the code of each room may import. */
const ARROWS: Record<string, string[]> = {
  protocol: [],
  chain: ['protocol'],
  storage: ['protocol'],
  sandbox: ['protocol'],
  client: ['protocol'],
  contracts: ['protocol'],
  plugin: MIDDLE,
  gateway: MIDDLE,
  worker: [...MIDDLE, 'sandbox'],
  cli: [...MIDDLE, 'sandbox', 'contracts', 'gateway', 'worker'],
  bench: ALL,
  test: ALL,
  scripts: ALL,
}

/** Rooms whose code may load another one only when it is needed, and do without it. */
const LAZY_ARROWS: Record<string, string[]> = { plugin: ['sandbox'] }

/** A room's own tests may deploy the contracts, since they run against a real chain. */
const TEST_ARROWS = ['contracts']

/** protocol does no I/O: the only parts of Node it may use (node:module to look for native signatures). */
const PURE_BUILTINS = ['node:crypto', 'node:buffer', 'node:util', 'node:assert', 'node:module']

interface Manifest {
  name: string
  exports?: Record<string, unknown>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
const rooms = Object.keys(ARROWS).filter((room) => existsSync(join(ROOT, room)))
const manifests = new Map(rooms.filter((room) => room !== 'scripts').map((room) => [room, readManifest(room)]))
const roomOfPackage = new Map([...manifests].map(([room, manifest]) => [manifest.name, room]))

const packageOf = (specifier: string) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
const isTest = (file: string) => /\.test\.ts$|\/(?:test|testing|support|abuse)\//.test(file)
const isGenerator = (file: string) => /\/generate[^/]*\.ts$/.test(file)
const isBuiltin = (specifier: string) => specifier.startsWith('node:') || builtinModules.includes(specifier)

function arrowFault(room: string, { file, specifier, kind }: Import): string | undefined {
  if (specifier.startsWith('.')) {
    const target = relative(ROOT, resolve(ROOT, file, '..', specifier))
    // The configuration files at the root belong to nobody; scripts/ serves all rooms.
    const targetRoom = target.split('/')[0]!
    const inside = targetRoom === room || !rooms.includes(targetRoom) || room === 'scripts'
    return inside ? undefined : 'leaves its room: import by package name'
  }
  const name = packageOf(specifier)
  const target = roomOfPackage.get(name)
  if (target === undefined || target === room) return undefined
  const entry = `.${specifier.slice(name.length)}`
  if (!(entry in (manifests.get(target)?.exports ?? {}))) return `${entry} is not an entry point of ${name}`
  if (ARROWS[room]!.includes(target)) return undefined
  if (isTest(file) && TEST_ARROWS.includes(target)) return undefined
  if (LAZY_ARROWS[room]?.includes(target)) {
    return kind === 'static' ? `${room} may load ${target} only by import()` : undefined
  }
  return `${room} may not import ${target}`
}

/** What is published runs where only its own dependencies are installed. Tests hold the code of others in strings. */
function undeclared(room: string, { file, specifier, kind }: Import): string | undefined {
  const name = packageOf(specifier)
  const manifest = manifests.get(room)
  if (manifest?.exports === undefined || isTest(file) || isGenerator(file)) return undefined
  if (specifier.startsWith('.') || isBuiltin(specifier) || name === manifest.name) return undefined
  const places = [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies]
  if (kind === 'type') places.push(manifest.devDependencies)
  return places.some((place) => place && name in place) ? undefined : `${name} is not in ${room}/package.json`
}

for (const room of rooms) {
  test(`${room} imports only along the arrows, and only what its package.json names`, () => {
    const faults = readImports(ROOT, room).flatMap((one) => {
      const fault = arrowFault(room, one) ?? undeclared(room, one)
      return fault === undefined ? [] : [`${one.file}: '${one.specifier}': ${fault}`]
    })
    assert.deepEqual(faults, [])
  })
}

test('protocol does no I/O', () => {
  const faults = readImports(ROOT, 'protocol').filter(
    ({ file, specifier }) =>
      !isTest(file) && !isGenerator(file) && isBuiltin(specifier) && !PURE_BUILTINS.includes(specifier),
  )
  assert.deepEqual(faults, [])
})

test('a wrong arrow is found', () => {
  const text = `import { a } from '@peerhost/gateway'\nimport type { B } from '@peerhost/sandbox'\nawait ${'import'}('../../cli/x.ts')\n`
  const faults = importsOf('worker/src/x.ts', text).map((one) => arrowFault('worker', one))
  assert.deepEqual(faults, ['worker may not import gateway', undefined, 'leaves its room: import by package name'])
  const [lazy] = importsOf('plugin/src/x.ts', `${'import'}('@peerhost/sandbox')`)
  const [early] = importsOf('plugin/src/x.ts', "import { run } from '@peerhost/sandbox'")
  assert.equal(arrowFault('plugin', lazy!), undefined)
  assert.equal(arrowFault('plugin', early!), 'plugin may load sandbox only by import()')
  const [inner] = importsOf('chain/src/x.ts', "export * from '@peerhost/protocol/dist/x.js'\n")
  assert.equal(arrowFault('chain', inner!), './dist/x.js is not an entry point of @peerhost/protocol')
})
