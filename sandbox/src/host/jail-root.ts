import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getNatives } from './natives.ts'

/** Where the harness lies, beside `src` as beside `dist`. */
export const HARNESS_FOLDER = fileURLToPath(new URL('../../harness/', import.meta.url))

/** The harness's files, relative to its folder, sorted: they are hashed for the runtime id. */
export function harnessFiles(): string[] {
  return readdirSync(HARNESS_FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cjs|kafel)$/.test(name))
    .map((name) => name.replaceAll('\\', '/'))
    .sort()
}

const require = createRequire(import.meta.url)

const KOFFI_SOURCE = ['index.cjs', 'src/static.cjs', 'src/trampolines.cjs'].map((name) => `src/koffi/${name}`)
const KOFFI_FILES = ['package.json', 'index.cjs', ...KOFFI_SOURCE]

/** The native library of koffi and the little JavaScript that loads it; its sources stay outside. */
function copyKoffi(target: string): void {
  const koffi = dirname(require.resolve('koffi'))
  const platform = `@koromix/koffi-linux-${process.arch}`
  const binary = dirname(createRequire(join(koffi, 'index.cjs')).resolve(platform))
  for (const name of KOFFI_FILES) copyInto(koffi, join(target, 'koffi'), name)
  for (const name of readdirSync(binary, { recursive: true, encoding: 'utf8' })) {
    if (!name.includes('musl') && statSync(join(binary, name)).isFile()) copyInto(binary, join(target, platform), name)
  }
}

function copyInto(from: string, to: string, name: string): void {
  mkdirSync(dirname(join(to, name)), { recursive: true })
  copyFileSync(join(from, name), join(to, name))
}

/** Libraries that a program is linked with, as the dynamic linker finds them. */
function librariesOf(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8', env: { PATH: process.env.PATH } })
  return [...listing.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!)
}

/** What a jail has in its /dev. Without urandom SQLite, for one, would draw from the time and its process number. */
const DEVICES = [
  { name: 'null', number: 0x103, mode: 0o666 },
  { name: 'urandom', number: 0x109, mode: 0o444 },
]

/** Paths of the jails' devices in a jail root, and where they really are; of a deterministic one the random bytes are none. */
export function devicesOf(root: string, deterministic = false): { source: string; path: string }[] {
  return DEVICES.map(({ name }) => {
    const shown = deterministic ? 'null' : name
    const own = join(root, 'dev', shown)
    return { source: statSync(own).isCharacterDevice() ? own : `/dev/${shown}`, path: `/dev/${name}` }
  })
}

/** Devices of our own where that is allowed: the host's tell how full its /dev is. */
function makeDevices(folder: string): void {
  for (const { name, number, mode } of DEVICES) {
    const path = join(folder, name)
    if (getNatives().makeDevice(path, number, mode) === 0) chmodSync(path, mode)
    else writeFileSync(path, '') // the host's is mounted over it
  }
}

/**
 * Builds what a jail sees: Node, its libraries and the harness, nothing else. Read-only inside.
 *
 * @param folder an empty folder, best a tmpfs of our own
 */
export function buildJailRoot(folder: string, node: string): void {
  for (const name of ['app', 'dev', 'run', 'tmp', 'var/task']) mkdirSync(join(folder, name), { recursive: true })
  copyFileSync(node, join(folder, 'node'))
  chmodSync(join(folder, 'node'), 0o755)
  for (const library of librariesOf(node)) copyInto('/', folder, library)
  for (const name of harnessFiles()) cpSync(join(HARNESS_FOLDER, name), join(folder, 'app', name))
  copyKoffi(join(folder, 'app/node_modules'))
  evenModes(folder)
  makeDevices(join(folder, 'dev'))
}

/** Modes do not tell the worker's umask. */
function evenModes(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const runs = entry.isDirectory() || (statSync(join(entry.parentPath, entry.name)).mode & 0o100) !== 0
    chmodSync(join(entry.parentPath, entry.name), runs ? 0o755 : 0o644)
  }
}
