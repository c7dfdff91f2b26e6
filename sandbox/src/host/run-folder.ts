import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getNatives } from './natives.ts'

const FOLDERS = 100_000
const OWNER_GRACE_MS = 10_000 // between the making of a folder and the naming of its owner

/** What one sandbox has on this machine: a folder of its own with a number that no other live one has. */
export interface RunFolder {
  path: string
  /** Drawn at random, so that none is soon used again: user ids outside and cgroups are named by it. */
  number: number
  /** What jails see as their root. */
  jailRoot: string
  /** Has a folder for each jail. */
  slots: string
  /** True if these two are tmpfs of our own: what lies in them is resident whoever read it. */
  ownTmpfs: boolean
}

/** Where the folders of all sandboxes of this machine and user lie. Short: unix sockets lie below. */
export function runFolderRoot(): string {
  const uid = process.getuid!()
  return uid === 0 ? '/run/peerhost' : join(tmpdir(), `peerhost-${uid}`)
}

/** Time at which a process started, in clock ticks since boot; undefined if there is none. */
function startTime(pid: number | string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19]
  } catch {
    return undefined
  }
}

function isAlive(folder: string): boolean {
  try {
    const [pid, started] = readFileSync(join(folder, 'owner'), 'utf8').split(' ')
    return startTime(pid!) === started
  } catch {
    try {
      return Date.now() - statSync(folder).mtimeMs < OWNER_GRACE_MS
    } catch {
      return false
    }
  }
}

/** Numbers of folders whose owner is gone. */
export function abandonedFolders(root = runFolderRoot()): { number: number; path: string }[] {
  return listFolders(root)
    .map((name) => ({ number: Number(name), path: join(root, name) }))
    .filter(({ path }) => !isAlive(path))
}

function listFolders(root: string): string[] {
  try {
    return readdirSync(root).filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/** Takes a folder's mounts and then the folder away. */
export function removeRunFolder(path: string): void {
  if (process.getuid!() === 0) for (const name of [ROOT, SLOTS]) while (getNatives().unmount(join(path, name)) === 0);
  rmSync(path, { recursive: true, force: true })
}

/** What jails see as their root, and a folder for each jail. */
const ROOT = 'root'
const SLOTS = 'slots'

// No jail writes to these. Without limits statfs(2) tells a jail nothing: no size of this machine, no count of jails.
const NO_LIMITS = 'size=0,nr_inodes=0'
/** With huge pages, where the kernel has them: a child then maps Node's code anew by 2 MB instead of by 64 KB. */
const ROOT_OPTIONS = [`mode=755,${NO_LIMITS},huge=always`, `mode=755,${NO_LIMITS}`]
const SLOTS_OPTIONS = [`mode=711,${NO_LIMITS}`]

const mount = (folder: string, options: string[]) =>
  options.some((options) => getNatives().mountTmpfs(folder, options) === 0)

/** Makes a folder of our own; as root what jails see of it lies on tmpfs. */
export function createRunFolder(root = runFolderRoot()): RunFolder {
  mkdirSync(root, { recursive: true, mode: 0o711 })
  for (;;) {
    const number = randomInt(FOLDERS)
    const path = join(root, String(number))
    try {
      mkdirSync(path, { mode: 0o711 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw error
    }
    writeFileSync(join(path, 'owner'), `${process.pid} ${startTime(process.pid)}`)
    const [jailRoot, slots] = [join(path, ROOT), join(path, SLOTS)]
    mkdirSync(jailRoot, { mode: 0o755 })
    mkdirSync(slots, { mode: 0o711 })
    const ownTmpfs = process.getuid!() === 0 && mount(jailRoot, ROOT_OPTIONS) && mount(slots, SLOTS_OPTIONS)
    return { path, number, jailRoot, slots, ownTmpfs }
  }
}
