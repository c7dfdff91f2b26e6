import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const RUN_FOLDERS = '/run/peerhost'
const FIRST_OUTSIDE_ID = 200_000
const IDS_PER_FOLDER = 1000

/** What a sandbox of this process holds of the machine, or has left there. */
export interface Held {
  processes: number
  descriptors: number
  mounts: number
  cgroups: number
  folders: number
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The numbers under which sandboxes of this process have their folders, cgroups and user ids. */
export const ownNumbers = (): number[] =>
  list(RUN_FOLDERS)
    .filter((name) => read(join(RUN_FOLDERS, name, 'owner')).startsWith(`${process.pid} `))
    .map(Number)

/** Looks for a sandbox by its number, so that a process which has lost its parent and a folder without owner count, too. */
export function heldBy(number: number): Held {
  const first = FIRST_OUTSIDE_ID + number * IDS_PER_FOLDER
  const isOfJail = (pid: string) => {
    const status = read(`/proc/${pid}/status`)
    if (/^State:\s*[ZX]/m.test(status)) return false // dead; the machine's init reaps it when it likes
    const uid = Number(/^Uid:\s*(\d+)/m.exec(status)?.[1])
    return uid >= first && uid < first + IDS_PER_FOLDER
  }
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*/peerhost/${number}*`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const folder = join(RUN_FOLDERS, String(number))
  return {
    processes: list('/proc').filter((name) => /^\d+$/.test(name) && isOfJail(name)).length,
    descriptors: list('/proc/self/fd').length,
    mounts: read('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(` ${folder}/`)).length,
    cgroups: groups.split('\n').filter((path) => new RegExp(`/peerhost/${number}(/|$)`).test(path)).length,
    folders: list(folder).length + list(join(folder, 'slots')).length,
  }
}
