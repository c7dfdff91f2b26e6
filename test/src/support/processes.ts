import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** One process as /proc tells of it. */
export interface ProcessInfo {
  pid: number
  parent: number
  command: string
}

/** The living processes of this machine; zombies, which only wait to be reaped, are not among them. */
export function processes(): ProcessInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      // pid (comm) state ppid ...; comm may hold anything, so read from its last bracket.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z' || state === 'X') return []
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      return [{ pid: Number(name), parent: Number(parent), command }]
    } catch {
      return [] // ended meanwhile
    }
  })
}

/** A process and all that descend from it. */
export function tree(pid: number): ProcessInfo[] {
  const all = processes()
  const found = all.filter((one) => one.pid === pid)
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid))
  return found
}

/** The living processes that were started with this environment variable, themselves or through others. */
export function startedWith(name: string, value: string): ProcessInfo[] {
  return processes().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${name}=${value}`)
    } catch {
      return false // ended meanwhile
    }
  })
}

/** Waits until none of the processes that `find` sees is left; returns those that outlived the time (milliseconds). */
export async function waitUntilGone(find: () => ProcessInfo[], timeout: number): Promise<ProcessInfo[]> {
  const deadline = performance.now() + timeout
  for (;;) {
    const left = find()
    if (left.length === 0 || performance.now() > deadline) return left
    await delay(50)
  }
}
